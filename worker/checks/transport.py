"""Can somebody on the way read passwords and customer data? Only between hosts, and without TLS.

What counts is whether the settings demand TLS. A PostgreSQL client may encrypt without being told
to, and goes on in the clear when the server, or somebody who claims to be it, does not.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from sqlalchemy.engine import URL

from directory.config import LdapSourceConfig
from directory.database_tls import Protection, protection
from directory.ldap_wire import endpoints
from worker.checks.finding import Finding, warning

_ADVICE: Mapping[str, str] = {
    "postgresql": "Add ?sslmode=verify-full&sslrootcert=FILE to the URL.",
    "mysql": "Add ?ssl_ca=FILE to the URL.",
    "mariadb": "Add ?ssl_ca=FILE to the URL.",
}
_IN_THE_CLEAR = "Passwords and customer data can be read on the way."
_ANYBODY = "Whoever stands in between can pass for the server."


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
    """Whether a database server elsewhere is reached without TLS, or with any certificate."""
    advice = _ADVICE.get(url.get_backend_name())
    if advice is None:
        return
    named = url.query.get("host")
    hosts = [url.host] if url.host else [named] if isinstance(named, str) else list(named or ())
    demanded = protection(url)
    yield from _unless(subject, hosts, protected=demanded > Protection.NONE, advice=advice)
    if demanded is Protection.ENCRYPTED and _away(hosts):
        yield _unchecked(subject, advice)


def of_redis(subject: str, url: str) -> Iterator[Finding]:
    """Whether a Redis or Valkey elsewhere is reached without TLS, or with any certificate."""
    parts = urlsplit(url)
    advice = "Have it listen with TLS, and use rediss:// with ?ssl_ca_certs=FILE."
    yield from _unless(subject, [parts.hostname], protected=parts.scheme != "redis", advice=advice)
    options = {name: values[-1].lower() for name, values in parse_qs(parts.query).items()}
    careless = (
        options.get("ssl_cert_reqs") in {"none", "cert_none", "optional", "cert_optional"}
        or options.get("ssl_check_hostname") == "false"
    )
    if careless and parts.scheme == "rediss" and _away([parts.hostname]):
        yield _unchecked(subject, "Leave ssl_cert_reqs and ssl_check_hostname out of the URL.")


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
            _ANYBODY,
            "Set tls.verify = true, and tls.ca_file for an authority of your own.",
        )


def _unless(
    subject: str, hosts: Sequence[str | None], *, protected: bool, advice: str
) -> Iterator[Finding]:
    if (away := _away(hosts)) and not protected:
        yield warning(subject, f"{', '.join(away)} is reached without TLS", _IN_THE_CLEAR, advice)


def _unchecked(subject: str, advice: str) -> Finding:
    return warning(
        subject, "the server's certificate, or the name in it, is not checked", _ANYBODY, advice
    )


def _away(hosts: Sequence[str | None]) -> list[str]:
    return [host for host in hosts if host and not is_local(host)]
