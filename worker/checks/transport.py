"""Can somebody on the way read passwords and customer data? Only between hosts, and without TLS.

What counts is whether the settings demand TLS. A PostgreSQL client may encrypt without being told
to, and goes on in the clear when the server, or somebody who claims to be it, does not.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from sqlalchemy.engine import URL

from directory.config import LdapSourceConfig
from directory.ldap_wire import endpoints
from worker.checks.finding import Finding, warning

_DEMANDING = frozenset({"require", "verify-ca", "verify-full"})
_IN_THE_CLEAR = "Passwords and customer data can be read on the way."


def is_local(host: str | None) -> bool:
    """Whether a host is this machine: loopback, a socket's path, or none at all."""
    if not host or host.startswith(("/", "@")):
        return True
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def of_database(subject: str, url: URL) -> Iterator[Finding]:
    """Whether a PostgreSQL, MariaDB or MySQL elsewhere is reached without TLS."""
    kind = url.get_backend_name()
    named = url.query.get("host")
    hosts = [url.host] if url.host else [named] if isinstance(named, str) else list(named or ())
    if kind == "postgresql":
        protected = url.query.get("sslmode") in _DEMANDING
        advice = "Add ?sslmode=verify-full&sslrootcert=FILE to the URL."
    elif kind in {"mysql", "mariadb"}:
        protected = any(key.startswith("ssl") for key in url.query)
        advice = "Add ?ssl_ca=FILE to the URL."
    else:
        return
    yield from _unless(subject, hosts, protected=protected, advice=advice)


def of_redis(subject: str, url: str) -> Iterator[Finding]:
    """Whether a Redis or Valkey elsewhere is reached without TLS."""
    parts = urlsplit(url)
    advice = "Have it listen with TLS, and use rediss:// with ?ssl_ca_certs=FILE."
    yield from _unless(subject, [parts.hostname], protected=parts.scheme != "redis", advice=advice)


def of_ldap(subject: str, config: LdapSourceConfig) -> Iterator[Finding]:
    """Whether an LDAP server elsewhere is reached without TLS, or its certificate not checked.

    Raises:
        SourceMisconfigured: a host cannot be read.
    """
    away = [place for place in endpoints(config) if not is_local(place.host)]
    plain = [place.host for place in away if place.scheme == "ldap" and not config.tls.start_tls]
    advice = "Use ldaps://, or set tls.start_tls = true, and tls.ca_file for your own authority."
    yield from _unless(subject, plain, protected=False, advice=advice)
    if away and len(plain) < len(away) and not config.tls.verify:
        yield warning(
            subject,
            "the server's certificate is not checked (tls.verify = false)",
            "Whoever stands in between can pass for the server.",
            "Set tls.verify = true, and tls.ca_file for an authority of your own.",
        )


def _unless(
    subject: str, hosts: Sequence[str | None], *, protected: bool, advice: str
) -> Iterator[Finding]:
    away = [host for host in hosts if host and not is_local(host)]
    if away and not protected:
        yield warning(subject, f"{', '.join(away)} is reached without TLS", _IN_THE_CLEAR, advice)
