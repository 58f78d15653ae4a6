"""How a socket to an LDAP server is opened and used, so that nothing waits past one deadline.

Name lookup, connecting to several addresses, the TLS handshake, each read and each write get what
is left of the deadline, and no more (design 1.1). Nothing here knows LDAP's messages.
"""

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from directory.config import LdapSourceConfig, TlsConfig
from directory.errors import SourceMisconfigured

PORTS = {"ldap": 389, "ldaps": 636}
LDAPI_PATH = "/var/run/slapd/ldapi"
"""Where ``ldapi://`` without a path leads: Debian's slapd."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock that everything done for one question shares."""

    end: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline so many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, always more than none.

        Raises:
            TimeoutError: nothing is left.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left

    def part(self, share: float) -> "Deadline":
        """An earlier deadline: a share of what is left."""
        return Deadline.after(self.left() * share)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place where a server listens; a socket path has scheme ``ldapi`` and no port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        if self.scheme == "ldapi":
            return f"ldapi://{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def endpoints(config: LdapSourceConfig) -> tuple[Endpoint, ...]:
    """The hosts of a source in the order in which they are tried.

    Raises:
        SourceMisconfigured: there is none, or one cannot be read.
    """
    if not config.host:
        raise SourceMisconfigured(config.slot, 'host is empty; right: host = "ldap.example.org"')
    return tuple(_endpoint(host.strip(), config) for host in config.host)


def _endpoint(host: str, config: LdapSourceConfig) -> Endpoint:
    scheme, separator, rest = host.partition("://")
    scheme = scheme.lower() if separator else "ldap"
    if scheme == "ldapi":
        return Endpoint("ldapi", unquote(rest).rstrip("/") or LDAPI_PATH, 0)
    address = (rest if separator else host).rstrip("/")
    if address.count(":") > 1 and "[" not in address:
        address = f"[{address}]"  # a bare IPv6 address
    try:
        parts = urlsplit(f"//{address}")
        name, port = parts.hostname, parts.port
    except ValueError:
        name = port = None
    if scheme not in PORTS or not name or parts.netloc != address or "@" in address:
        problem = (
            f"host {host!r} is not a server; right: ldap.example.org, ldap.example.org:3389, "
            "ldaps://ldap.example.org, ldapi://%2Frun%2Fslapd%2Fldapi"
        )
        raise SourceMisconfigured(config.slot, problem)
    return Endpoint(scheme, name, port or config.port or PORTS[scheme])


class Wire:
    """A connected socket on which no call waits longer than the deadline at hand."""

    def __init__(self, raw: socket.socket, deadline: Deadline) -> None:
        self.raw = raw
        self.deadline = deadline

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from here on, after the handshake and the checks of the context."""
        self.raw.settimeout(self.deadline.left())
        self.raw = context.wrap_socket(self.raw, server_hostname=host)

    def recv(self, size: int) -> bytes:
        """As socket.recv."""
        self.raw.settimeout(self.deadline.left())
        return self.raw.recv(size)

    def sendall(self, data: bytes) -> None:
        """As socket.sendall."""
        rest = memoryview(data)
        while rest:
            self.raw.settimeout(self.deadline.left())
            rest = rest[self.raw.send(rest) :]

    def shutdown(self, how: int) -> None:
        """As socket.shutdown."""
        self.raw.shutdown(how)

    def close(self) -> None:
        """Give the descriptor back without a word to the server."""
        self.raw.close()


def tls_context(tls: TlsConfig) -> ssl.SSLContext:
    """Certificate and name are checked unless the source says otherwise (D11).

    Built for each connection, so that renewed files count without a restart.
    """
    context = ssl.create_default_context(cafile=tls.ca_file)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


def open_socket(endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    """Connect to the first of a host's addresses that takes us, each within its share.

    Raises:
        OSError: none did; the last one's error.
    """
    places = (
        [(socket.AF_UNIX, endpoint.host)]
        if endpoint.scheme == "ldapi"
        else [(found[0], found[4]) for found in _resolved(endpoint, deadline)]
    )
    error = OSError("the host has no address")
    for index, (family, address) in enumerate(places):
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(deadline.part(1 / (len(places) - index)).left())
            raw.connect(address)
        except OSError as failure:
            raw.close()
            error = failure
        else:
            return raw
    raise error


def _resolved(endpoint: Endpoint, deadline: Deadline) -> Sequence[tuple[Any, ...]]:
    """As getaddrinfo, which knows no timeout: a name is looked up in a thread that may be left."""
    wanted = (endpoint.host, endpoint.port, socket.AF_UNSPEC, socket.SOCK_STREAM)
    try:
        return socket.getaddrinfo(*wanted, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass  # a name, not an address
    found: list[Sequence[tuple[Any, ...]]] = []
    failed: list[Exception] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(*wanted))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=look_up, name="ldap-name-lookup", daemon=True)
    thread.start()
    thread.join(deadline.left())
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError("the name was not resolved in time")
    return found[0]
