"""Servers that misbehave as told: a scripted LDAP server, and a relay before a real one.

A scripted server speaks just enough BER to answer binds and searches. Its script is a function
of the request that returns the octets to send, ``SILENCE`` or ``HANG_UP``.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

BIND: Final = 0x60
UNBIND: Final = 0x42
SEARCH: Final = 0x63
EXTENDED: Final = 0x77

SILENCE: Final = None
HANG_UP: Final = b""


@dataclass(frozen=True)
class Request:
    """One message: its id, the tag of its operation, and all its octets."""

    id: int
    operation: int
    octets: bytes

    def done(self, code: int = 0) -> bytes:
        """The end of this request with a result code."""
        tag = {BIND: 0x61, SEARCH: 0x65, EXTENDED: 0x78}[self.operation]
        return self.message(tag, tlv(0x0A, bytes([code])) + tlv(4, b"") + tlv(4, b""))

    def entry(self, **attributes: Sequence[bytes]) -> bytes:
        rows = b"".join(
            tlv(0x30, tlv(4, name.encode()) + tlv(0x31, b"".join(tlv(4, v) for v in values)))
            for name, values in attributes.items()
        )
        return self.message(0x64, tlv(4, b"cn=x,dc=example,dc=com") + tlv(0x30, rows))

    def reference(self, *uris: str) -> bytes:
        return self.message(0x73, b"".join(tlv(4, uri.encode()) for uri in uris))

    def referral(self, *uris: str) -> bytes:
        places = tlv(0xA3, b"".join(tlv(4, uri.encode()) for uri in uris))
        return self.message(0x65, tlv(0x0A, b"\x0a") + tlv(4, b"") + tlv(4, b"") + places)

    def message(self, tag: int, content: bytes) -> bytes:
        return tlv(0x30, tlv(2, self.id.to_bytes(4, "big")) + tlv(tag, content))


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x84" + size.to_bytes(4, "big")
    return bytes([tag]) + length + content


def polite(request: Request) -> bytes | None:
    """A script that binds everybody and knows nobody."""
    return request.done()


Script = Callable[[Request], bytes | None]


class ScriptedServer:
    """Listens on a loopback port or a socket path, and does what its script says."""

    def __init__(
        self,
        script: Script,
        *,
        path: str = "",
        tls: ssl.SSLContext | None = None,
        drip: float = 0.0,
    ) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._drip = drip
        self._stopped = threading.Event()
        family = socket.AF_UNIX if path else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.bind(path or ("127.0.0.1", 0))
        self._listener.listen(8)
        self.uri = "" if path else f"ldap://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def searches(self) -> list[Request]:
        return [request for request in self.requests if request.operation == SEARCH]

    def close(self) -> None:
        self._stopped.set()
        for one in (self._listener, *self._open):
            hang_up(one)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            for request in messages(connection):
                self.requests.append(request)
                answer = self.script(request) if request.operation != UNBIND else HANG_UP
                if answer == HANG_UP:
                    break
                if answer is not None:
                    self._send(connection, answer)
        hang_up(connection)

    def _send(self, connection: socket.socket, octets: bytes) -> None:
        if not self._drip:
            connection.sendall(octets)
            return
        for octet in octets:
            connection.sendall(bytes([octet]))
            if self._stopped.wait(self._drip):
                return


class Relay:
    """A port that passes everything on to a server, until it swallows or cuts what it carries."""

    def __init__(self, port: int, *, address: str = "127.0.0.1") -> None:
        self._target = port
        self._swallows: set[socket.socket] = set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind((address, 0))
        self._listener.listen(8)
        self.port = self._listener.getsockname()[1]
        self.uri = f"ldap://{address}:{self.port}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def connections(self) -> int:
        return len(self._pairs)

    def swallow(self) -> None:
        """Carry nothing more on the connections there are; new ones are fine."""
        self._swallows |= {one for pair in self._pairs for one in pair}

    def cut(self) -> None:
        """Close the connections there are, as an idle timeout does."""
        for pair in self._pairs:
            for one in pair:
                hang_up(one)

    def close(self) -> None:
        hang_up(self._listener)
        self.cut()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._pairs.append((near, far))
                for source, sink in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._carry, args=(source, sink))
                    self._threads.append(thread)
                    thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source not in self._swallows:
                    sink.sendall(data)
        if source not in self._swallows:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)


def hang_up(one: socket.socket) -> None:
    """Close a socket, and wake up who waits for it."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def messages(connection: socket.socket) -> Iterator[Request]:
    """What a client says, a whole message at a time, until it hangs up."""
    buffer = b""
    while data := connection.recv(65536):
        buffer += data
        if not buffer.startswith(b"\x30"):
            continue  # a TLS handshake; nobody answers it
        while (size := _message_size(buffer)) and len(buffer) >= size:
            message, buffer = buffer[:size], buffer[size:]
            body = message[size - _content_size(message) :]
            number = int.from_bytes(body[2 : 2 + body[1]], "big")
            yield Request(number, body[2 + body[1]], message)


def _message_size(buffer: bytes) -> int:
    """The octets of the first message, or 0 if its length has not come yet."""
    if len(buffer) < 2 or (buffer[1] > 127 and len(buffer) < 2 + buffer[1] - 128):
        return 0
    head = 2 if buffer[1] < 128 else 2 + buffer[1] - 128
    return head + _content_size(buffer)


def _content_size(buffer: bytes) -> int:
    if buffer[1] < 128:
        return buffer[1]
    return int.from_bytes(buffer[2 : 2 + buffer[1] - 128], "big")
