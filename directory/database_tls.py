"""How does a database's URL ask for TLS? Then the server's certificate and name are checked, too.

Drivers are more easy-going. psycopg leaves the certificate alone unless ``sslmode`` is
``verify-full``, and PyMySQL unless it has a CA file; options beside one another can undo each
other there. So what a URL says is read here, and handed on in a form that leaves nothing open. Who
names a file of authorities has the certificate checked against it, who names none against those of
the system. Less than that has to be said.
"""

import re
import ssl
from collections.abc import Mapping
from enum import IntEnum
from functools import partial
from typing import Any

import pymysql
from sqlalchemy import URL, Engine, event

POSTGRESQL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_MYSQL_TEXTS = frozenset({"ssl_ca", "ssl_capath", "ssl_cert", "ssl_key", "ssl_cipher"})
_MYSQL_SWITCHES = frozenset(
    {"ssl", "ssl_disabled", "ssl_check_hostname", "ssl_verify_cert", "ssl_verify_identity"}
)
_WORDS: Mapping[str, bool] = {"true": True, "1": True, "yes": True, "on": True} | {
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}
_SSL_CONNECTION_ERROR = 2026
"""MySQL's number for it."""

_TOLD = re.compile(
    r"certificate verify failed(?:: [^(\n]*[^(\s])?"
    r'|server certificate for "[^"\n]*" .*does not match host name "[^"\n]*"'
    r"|server does not support SSL(?:, but SSL was required)?"
    r"|SSL is required but the server doesn't support it"
    r'|(?:root )?certificate file "[^"\n]*" does not exist'
    r"|the files for TLS cannot be read",
    re.IGNORECASE,
)


class TlsOptionError(ValueError):
    """An option about TLS in a database's URL cannot be understood; the text names it."""


class Protection(IntEnum):
    """What is demanded of a connection."""

    NONE = 0
    """Nothing. It may be encrypted all the same, if nobody on the way objects."""
    ENCRYPTED = 1
    """TLS, with whoever has a certificate, or one of the right authority for any name."""
    CHECKED = 2
    """TLS with the server that has this name."""


def protection(url: URL) -> Protection:
    """What a URL demands.

    Raises:
        TlsOptionError: one of its options cannot be understood.
    """
    match url.get_backend_name():
        case "postgresql":
            mode = _text(secured(url), "sslmode")
            if mode == "verify-full":
                return Protection.CHECKED
            demanded = mode in {"require", "verify-ca"}
            return Protection.ENCRYPTED if demanded else Protection.NONE
        case "mysql" | "mariadb":
            options = _mysql_options(url)
            if not options:
                return Protection.NONE
            checked = options["verify"] and options["name"]
            return Protection.CHECKED if checked else Protection.ENCRYPTED
        case _:
            return Protection.NONE


def secured(url: URL) -> URL:
    """The URL as the driver is to get it, see ``secure``.

    Raises:
        TlsOptionError: one of its options cannot be understood.
    """
    match url.get_backend_name():
        case "postgresql":
            mode = _text(url, "sslmode")
            if mode is not None and mode not in POSTGRESQL_MODES:
                raise TlsOptionError(
                    f"sslmode cannot be {mode}; right: sslmode=verify-full&sslrootcert=FILE"
                )
            if mode is None and _text(url, "sslrootcert") is not None:
                # Else the file would be read, and a server without TLS be taken.
                return url.update_query_dict({"sslmode": "verify-full"})
            return url
        case "mysql" | "mariadb":
            _mysql_options(url)
            return url.difference_update_query([name for name in url.query if _is_tls(name)])
        case _:
            return url


def secure(engine: Engine, url: URL) -> None:
    """Have an engine of ``secured(url)`` connect as the URL demands; PyMySQL must be told apart.

    The files are read for each connection, so renewed ones count without a restart.
    """
    if url.get_backend_name() in {"mysql", "mariadb"} and (options := _mysql_options(url)):
        event.listen(engine, "do_connect", partial(_with_tls, options))


def refusal(error: BaseException) -> str:
    """What a failed connection says about TLS, without addresses and names of users; or nothing."""
    found = _TOLD.search(str(getattr(error, "orig", None) or error))
    return found[0] if found else ""


def _with_tls(
    options: Mapping[str, Any], _dialect: object, _record: object, _: object, settings: Any
) -> None:
    try:
        settings["ssl"] = _context(options)
    except (OSError, ValueError) as error:
        problem = f"the files for TLS cannot be read: {type(error).__name__}"
        raise pymysql.err.OperationalError(_SSL_CONNECTION_ERROR, problem) from None


def _context(options: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options["ca"], capath=options["capath"])
    # MySQL's and MariaDB's own authorities lack what only the strict want to see.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = options["verify"] and options["name"]
    context.verify_mode = ssl.CERT_REQUIRED if options["verify"] else ssl.CERT_NONE
    if options["cert"]:
        context.load_cert_chain(options["cert"], options["key"])
    if options["cipher"]:
        context.set_ciphers(options["cipher"])
    return context


def _mysql_options(url: URL) -> dict[str, Any]:
    """What a URL of MariaDB or MySQL says about TLS; nothing where it does not demand it."""
    given = {name: _text(url, name) or "" for name in url.query if _is_tls(name)}
    unknown = sorted(given.keys() - _MYSQL_TEXTS - _MYSQL_SWITCHES)
    if unknown:
        raise TlsOptionError(f"{unknown[0]} is not known; right: ssl_ca=FILE, or ssl=true")
    switches = {name: _switch(name, given[name]) for name in given.keys() & _MYSQL_SWITCHES}
    if not given or switches.get("ssl_disabled") or switches.get("ssl") is False:
        return {}
    texts = {name.removeprefix("ssl_"): given.get(name) or None for name in _MYSQL_TEXTS}
    named = texts["ca"] is not None or texts["capath"] is not None
    name = switches.get("ssl_verify_identity", switches.get("ssl_check_hostname", True))
    # As PyMySQL does: without a name to check and an authority, there is nothing to check.
    verify = switches.get("ssl_verify_cert", named or name)
    return {**texts, "verify": verify, "name": name}


def _switch(name: str, text: str) -> bool:
    if text.lower() not in _WORDS:
        raise TlsOptionError(f"{name} must be true or false")
    return _WORDS[text.lower()]


def _is_tls(name: str) -> bool:
    return name == "ssl" or name.startswith("ssl_")


def _text(url: URL, name: str) -> str | None:
    """An option of a URL; of several the last."""
    value = url.query.get(name)
    return value if value is None or isinstance(value, str) else value[-1]
