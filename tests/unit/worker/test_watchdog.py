"""systemd hears of a process that is alive, and of no other."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker import watchdog


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        yield listening


def test_a_sign_of_life_is_told(systemd: socket.socket) -> None:
    watchdog.alive()

    assert systemd.recv(100) == b"WATCHDOG=1"


def test_a_name_that_is_no_file_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # the kernel chooses a name that is no file
        name = listening.getsockname()
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name[1:].decode()}")
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")

        watchdog.alive()

        assert listening.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("missing", ["NOTIFY_SOCKET", "WATCHDOG_USEC"])
def test_who_does_not_ask_is_told_nothing(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)

    watchdog.alive()

    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_a_systemd_that_is_gone_is_an_error(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nowhere"))

    with pytest.raises(FileNotFoundError):
        watchdog.alive()
