"""A port before slapd that does one thing wrong at a time: TCP through loopback, in threads.

What slapd itself cannot be made to do stands here: answers that come too late, that drip octet by
octet, that say *busy*, and a port on which nobody listens while slapd is stopped.
"""

import contextlib
import socket
import threading
from enum import Enum, auto
from types import TracebackType
from typing import Final, Self

from tests.contract.ldap_script import BIND, SEARCH, hang_up, messages
from tests.servers.process import reserve_port

BUSY: Final = 51


class Manner(Enum):
    """How what slapd says reaches the client."""

    AT_ONCE = auto()
    LATE = auto()
    """Each answer rests for ``pause`` seconds."""
    DRIPPING = auto()
    """``pause`` seconds between two octets."""
    BUSY = auto()
    """slapd is not asked: each bind and search ends with the result 51."""


class Front:
    """Forwards a port of its own to slapd's, in one manner until it is told another.

    What is held back in one manner goes on in the next: nothing that slapd said is lost.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._reserved = reserve_port()
        self.port: int = self._reserved.getsockname()[1]
        self._manner = Manner.AT_ONCE
        self._pause = 0.0
        self._changed = threading.Event()
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.listen()

    @property
    def uri(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    def behave(self, manner: Manner, pause: float = 0.0) -> None:
        """Go on in another manner, on the connections that there are as well."""
        self._manner, self._pause = manner, pause
        changed, self._changed = self._changed, threading.Event()
        changed.set()

    def listen(self) -> None:
        """Take connections; nothing if it does."""
        if self._listener is None:
            self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", self.port))
            self._listener.listen(64)
            self._start(self._accept, self._listener)

    def refuse(self) -> None:
        """Close the connections there are and have the kernel refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            hang_up(listener)
        sockets, self._open = self._open, []
        for one in sockets:
            hang_up(one)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.behave(Manner.AT_ONCE)
        self.refuse()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._reserved.close()

    def _start(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments)  # type: ignore[arg-type]
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # that is how it ends
            while True:
                near, _ = listener.accept()
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
                except OSError:
                    hang_up(near)
                    continue
                far.settimeout(None)
                self._open += [near, far]
                if self._listener is not listener:  # refused meanwhile
                    hang_up(near)
                    hang_up(far)
                self._start(self._ask, near, far)
                self._start(self._answer, near, far)

    def _ask(self, near: socket.socket, far: socket.socket) -> None:
        """Carry what the client says, but to a busy server."""
        with contextlib.suppress(OSError):
            for request in messages(near):
                if self._manner is Manner.BUSY and request.operation in {BIND, SEARCH}:
                    near.sendall(request.done(BUSY))
                else:
                    far.sendall(request.octets)
        hang_up(far)

    def _answer(self, near: socket.socket, far: socket.socket) -> None:
        """Carry what slapd says, as the manner wants it."""
        with contextlib.suppress(OSError):
            while octets := far.recv(65536):
                self._deliver(near, octets)
        hang_up(near)

    def _deliver(self, near: socket.socket, octets: bytes) -> None:
        changed = self._changed  # first: whoever changes the manner then cuts the pause short
        if self._manner is Manner.LATE:
            changed.wait(self._pause)
        while self._manner is Manner.DRIPPING and len(octets) > 1:
            near.sendall(octets[:1])
            octets = octets[1:]
            changed.wait(self._pause)
            changed = self._changed
        near.sendall(octets)
