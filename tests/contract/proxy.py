"""A line to a server that can fall silent, drip, or be cut: TCP through loopback."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Line:
    """Forwards a port of its own to a server's port.

    ``hold`` keeps what the server says from then on; ``release`` lets it through again.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._flowing = threading.Event()
        self._flowing.set()
        self._closed = False
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed = True
        self.release()
        self._listener.close()
        self.cut()

    def hold(self) -> None:
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Break every connection, as a firewall does that forgot them."""
        sockets, self._sockets = self._sockets, []
        for end in sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                threading.Thread(
                    target=self._forward, args=(server, client, self._flowing), daemon=True
                ).start()

    def _forward(
        self, source: socket.socket, sink: socket.socket, gate: threading.Event | None = None
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if gate is not None:
                    gate.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


class Dripper:
    """A server that greets with bytes of a handshake, one now and then, and never ends it."""

    def __init__(self, greeting: bytes, every: float) -> None:
        self._greeting = greeting
        self._stopped = threading.Event()
        self._every = every
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._drip, args=(client,), daemon=True).start()

    def _drip(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            for byte in self._greeting:
                if self._stopped.wait(self._every):
                    return
                client.sendall(bytes([byte]))
