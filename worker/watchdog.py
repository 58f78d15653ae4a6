"""Does systemd know that this process is alive? It is told with each sign of life, where it asks.

A unit with ``WatchdogSec`` starts a worker again that has fallen silent. Without systemd, or
without a watchdog, nothing is said.
"""

import os
import socket

SOCKET_VARIABLE = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE = "WATCHDOG_USEC"


def alive() -> None:
    """Say that this process is alive.

    Raises:
        OSError: systemd cannot be told.
    """
    address = os.environ.get(SOCKET_VARIABLE, "")
    if not address or WATCHDOG_VARIABLE not in os.environ:
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"  # a name that is no file
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
        connection.connect(address)
        connection.send(b"WATCHDOG=1")
