"""Ports of the recording on this machine: some with a server behind them, some with nothing."""

import contextlib
import socket
import threading
from collections.abc import Mapping


class Gate:
    """A port on which nothing listens until it is opened; then a server answers there.

    The port stays ours, open or closed, so that nobody else can come to listen on it.
    """

    def __init__(self) -> None:
        self._reserved = _bound(0)
        self.port: int = self._reserved.getsockname()[1]
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []

    def open(self, target: int) -> None:
        """Let the server that listens on ``target`` answer here, too."""
        if self._listener is not None:
            return
        listener = _bound(self.port)
        listener.listen()
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener, target), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections again, and break those that there are."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        # A thread in accept() keeps the socket alive: it must wake up first.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        ends, self._ends = self._ends, []
        for end in ends:
            _break(end)

    def close(self) -> None:
        """Give the port back."""
        self.shut()
        self._reserved.close()

    def _accept(self, listener: socket.socket, target: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", target))
                self._ends += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=_forward, args=pair, daemon=True).start()


class Ports:
    """Which port here stands for a port of the recording.

    Args:
        servers: ports here by the recorded ports of servers, which answer until they are shut.
    """

    def __init__(self, servers: Mapping[int, int]) -> None:
        self._servers = servers
        self._gates: dict[int, Gate] = {}

    def of(self, recorded: int) -> int:
        """The port here; on one that no server has, nothing listens until it is opened."""
        return self.gate(recorded).port

    def gate(self, recorded: int) -> Gate:
        """The gate of a recorded port; open from the beginning if a server has the port."""
        if recorded not in self._gates:
            gate = self._gates[recorded] = Gate()
            if recorded in self._servers:
                gate.open(self._servers[recorded])
        return self._gates[recorded]

    def close(self) -> None:
        """Give all gates' ports back."""
        gates, self._gates = self._gates, {}
        for gate in gates.values():
            gate.close()


def _bound(port: int) -> socket.socket:
    """A socket that has a port and does not listen."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _break(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _break(source)
    _break(sink)
