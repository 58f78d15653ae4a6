"""How an LDAP server is reached: over several hosts, within one deadline, and again after a loss.

ldap3 binds, starts TLS and takes leave (SAFE_SYNC, no schema); searches are our own, see
``directory.ldap_ber``. The socket is ours: ldap3 limits each ``recv`` by itself, so a server that
sends an octet a second could hold a lookup for hours. Its restartable strategies are not used:
they try again for minutes on a server that hangs.
"""

import contextlib
import math
import os
import ssl
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from directory.config import LdapSourceConfig
from directory.ldap_ber import Incoming, Malformed, SessionEnded, search_message
from directory.ldap_messages import LOST, SUCCESS, Reply, Search
from directory.ldap_ranges import whole
from directory.ldap_referrals import BadReferral, followed
from directory.ldap_wire import Deadline, Endpoint, Wire, endpoints, open_socket, tls_context

with warnings.catch_warnings():
    # ldap3 2.9 imports names that pyasn1 0.6 calls deprecated.
    warnings.filterwarnings("ignore", "(tagMap|typeMap) is deprecated", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import (
        LDAPCommunicationError,
        LDAPInvalidDnError,
        LDAPInvalidFilterError,
    )
    from ldap3.operation.search import compile_filter, parse_filter
    from ldap3.strategy.safeSync import SafeSyncStrategy
    from ldap3.utils.asn1 import encode  # type: ignore[attr-defined]  # the stubs lack it
    from ldap3.utils.dn import parse_dn

START_TLS = "1.3.6.1.4.1.1466.20037"
RECEIVE_OCTETS = 65536
KEPT_SHARE = 2 / 3
"""What a kept connection gets of the time; the rest is for a new one if this one is half open."""

GOODBYE_SECONDS = 0.2


class NoAnswer(Exception):
    """The server could not be reached, or did not answer; the message says why, without values."""


def compiled(text: str) -> bytes:
    """A filter that somebody wrote (RFC 4515), as it is sent.

    Raises:
        ValueError: it is none.
    """
    try:
        parsed = parse_filter(  # type: ignore[no-untyped-call]
            text,
            schema=None,
            auto_escape=False,
            auto_encode=False,
            validator=None,
            check_names=False,
        )
        octets: bytes = encode(
            compile_filter(parsed.elements[0])  # type: ignore[no-untyped-call]
        )
    except (LDAPInvalidFilterError, AttributeError) as error:  # the parser trips over its stack
        raise ValueError("not a filter") from error
    return octets


def check_dn(text: str) -> None:
    """Parse a distinguished name.

    Raises:
        ValueError: it is none.
    """
    try:
        parse_dn(text)
    except LDAPInvalidDnError as error:
        raise ValueError("not a distinguished name") from error


class _Strategy(SafeSyncStrategy):
    """SAFE_SYNC on a wire that is connected already."""

    def __init__(self, connection: ldap3.Connection) -> None:
        super().__init__(connection)
        self.socket_size = RECEIVE_OCTETS

    def open(self, *_: Any, **__: Any) -> None:
        self._outstanding: dict[int, Any] = {}
        self.connection.closed = False
        self.connection.listening = True

    def decode_response_fast(self, ldap_message: Any) -> Any:
        self.connection.wire.deadline.left()  # decoding a flood is waiting, too
        return super().decode_response_fast(ldap_message)  # type: ignore[no-untyped-call]


class _Connection(ldap3.Connection):
    """ldap3's connection, opened on a wire of ours."""

    def __init__(self, wire: Wire, config: LdapSourceConfig) -> None:
        password = config.user_pw.get_secret_value() if config.user_pw else ""
        known = bool(config.user_dn and password)
        super().__init__(
            ldap3.Server("localhost", get_info=ldap3.NONE),
            user=config.user_dn if known else None,
            version=config.version,
            client_strategy=ldap3.SAFE_SYNC,
            auto_referrals=False,
            check_names=False,
            return_empty_attributes=False,
            auto_escape=False,
            raise_exceptions=False,
        )
        self.password = password.encode()  # octets: of a text ldap3 would send what SASLprep makes
        self.strategy = _Strategy(self)
        self.send = self.strategy.send
        self.open = self.strategy.open
        self.get_response = self.strategy.get_response
        self.post_send_single_response = self.strategy.post_send_single_response
        self.post_send_search = self.strategy.post_send_search
        self.wire = wire
        self.socket = wire
        self.open()


class LdapClient:
    """Searches one source's servers over one connection, which it keeps for this process."""

    def __init__(self, config: LdapSourceConfig) -> None:
        self._config = config
        self._endpoints = endpoints(config)
        self._kept: _Connection | None = None
        self._pid = 0

    def search(self, request: Search, deadline: Deadline) -> Reply:
        """Ask, on the kept connection or a new one; once more if the kept one turns out dead.

        Raises:
            NoAnswer: no host gave an answer before the deadline.
        """
        try:
            reply = whole(self._search(request, deadline), partial(self._search, deadline=deadline))
            if self._config.referrals and reply.references:
                reply = self._followed(reply, request, deadline)
        except TimeoutError as error:
            raise self._too_late() from error
        except NoAnswer as error:
            self.drop()
            if deadline.end <= time.monotonic():
                raise self._too_late() from error
            raise
        return reply

    def close(self) -> None:
        """Take leave of the server and close the connection."""
        connection = self._of_this_process()
        if connection is not None:
            connection.wire.deadline = Deadline.after(GOODBYE_SECONDS)
            with contextlib.suppress(OSError, LDAPCommunicationError):  # closed all the same
                connection.unbind()
            self.drop()

    def drop(self) -> None:
        """Close the connection without a word; the next search opens a new one."""
        connection, self._kept = self._kept, None
        if connection is not None:
            connection.wire.close()

    def _too_late(self) -> NoAnswer:
        return NoAnswer(f"TimeoutError: no answer within {self._config.timeout:g} s")

    def _of_this_process(self) -> _Connection | None:
        if self._pid != os.getpid():
            # A fork copied the descriptor. Closing ours leaves the parent's connection alone.
            self.drop()
            self._pid = os.getpid()
        return self._kept

    def _search(self, request: Search, deadline: Deadline) -> Reply:
        kept = self._of_this_process()
        if kept is not None:
            try:
                reply = _ask(kept, request, deadline.part(KEPT_SHARE))
            except NoAnswer:
                self.drop()
            else:
                if reply.code not in LOST:
                    return reply
                self.drop()
        start_tls = self._config.tls.start_tls
        self._kept = self._connect(self._endpoints, deadline, start_tls=start_tls)
        reply = _ask(self._kept, request, deadline)
        if reply.code in LOST:
            self.drop()
        return reply

    def _connect(
        self, places: Sequence[Endpoint], deadline: Deadline, *, start_tls: bool
    ) -> _Connection:
        """Connect and bind to the first host that answers within its share of the time."""
        failures = []
        for index, endpoint in enumerate(places):
            share = deadline.part(1 / (len(places) - index))
            try:
                return _connected(endpoint, self._config, share, start_tls=start_tls)
            except _Refused as error:
                # Another host would count one more wrong password, and then lock the account.
                raise NoAnswer(f"{endpoint}: {error}") from error
            except Exception as error:  # noqa: BLE001 - what a broken server provokes in ldap3 has no bound
                failures.append(f"{endpoint}: {reason(error)}")
        raise NoAnswer("; ".join(failures))

    def _followed(self, reply: Reply, request: Search, deadline: Deadline) -> Reply:
        # A referral must not carry the password from a protected server to a plain one.
        start_tls = self._config.tls.start_tls or any(
            endpoint.scheme == "ldaps" for endpoint in self._endpoints
        )

        def ask(place: Endpoint, far: Search) -> Reply:
            connection = self._connect([place], deadline, start_tls=start_tls)
            try:
                return _ask(connection, far, deadline)
            finally:
                connection.wire.close()

        try:
            return followed(reply, replace(request, page=None), ask)
        except BadReferral as error:
            raise NoAnswer(str(error)) from error


class _Refused(Exception):
    """The server answered, and the answer was no."""


def _ask(connection: _Connection, request: Search, deadline: Deadline) -> Reply:
    wire = connection.wire
    try:
        wire.deadline = deadline
        number = connection.server.next_message_id()
        wire.sendall(search_message(number, request, math.ceil(deadline.left())))
        incoming = Incoming(number)
        while octets := wire.recv(RECEIVE_OCTETS):
            reply = incoming.take(octets)
            if reply is not None:
                return reply
    except SessionEnded:
        pass
    except (OSError, Malformed) as error:
        raise NoAnswer(reason(error)) from error
    raise NoAnswer("session terminated by server")


def _connected(
    endpoint: Endpoint, config: LdapSourceConfig, deadline: Deadline, *, start_tls: bool
) -> _Connection:
    """A bound connection. Nothing is bound before TLS stands where TLS is asked for."""
    wire = Wire(open_socket(endpoint, deadline), deadline)
    try:
        if endpoint.scheme == "ldaps":
            wire.start_tls(tls_context(config.tls), endpoint.host)
        connection = _Connection(wire, config)
        if endpoint.scheme == "ldap" and start_tls:
            connection.extended(START_TLS)
            _insist(connection, "StartTLS")
            wire.start_tls(tls_context(config.tls), endpoint.host)
        connection.bind(read_server_info=False)
        _insist(connection, "bind")
    except BaseException:
        wire.close()
        raise
    return connection


def _insist(connection: _Connection, step: str) -> None:
    """Raise unless the step before ended in success."""
    result = connection.result
    if result["result"] != SUCCESS:
        problem = f"{step} refused: {result['description']} (result {result['result']})"
        # A refusal that is about us must not be tried on the next host, see _connect.
        raise NoAnswer(problem) if result["result"] in LOST else _Refused(problem)


def reason(error: Exception) -> str:
    """Class and text of an error, or the class alone where the text could quote a value."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verification failed: {error.verify_message}"
    if isinstance(error, NoAnswer | Malformed):
        return str(error)
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror or error}"
    if isinstance(error, LDAPCommunicationError):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__
