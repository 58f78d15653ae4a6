"""PostgreSQL as Debian packages it, with a fresh database for whoever asks."""

import itertools
import os
import pwd
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from tests.servers.certificates import write_certificates
from tests.servers.process import Server, find_program, memory

PACKAGE = "postgresql"
USER = "fieldfare"
PASSWORD = "throw-away"


def _unprivileged_user() -> str | None:
    """Whom to run as: PostgreSQL refuses root. None when the tests do not run as root."""
    if os.geteuid() != 0:
        return None
    users = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in users else "nobody"


def _program_folders() -> Sequence[Path]:
    """Debian keeps each major version in a folder of its own, off PATH; the newest comes first."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    return sorted(folders, key=lambda folder: int(folder.parent.name), reverse=True)


def _name(url: str) -> str:
    """The name of the database at a URL."""
    return url.rpartition("/")[2]


class PostgresqlServer(Server):
    """A cluster with encoding UTF8 and one superuser, reached with a password over TCP.

    A test's data need not survive the machine: ``fsync`` is off unless asked for, and without it
    they are kept in memory where that has room.

    Args:
        fsync: as in production.
        tls: speak TLS as well, with a certificate for the name localhost and for no address.
    """

    name = "postgresql"
    stop_signal = signal.SIGINT  # SIGTERM would wait for the clients to leave

    def __init__(self, *, fsync: bool = False, tls: bool = False) -> None:
        self._program = find_program("postgres", PACKAGE, *_program_folders())
        self._initdb = find_program("initdb", PACKAGE, *_program_folders())
        self._fsync = fsync
        self._numbers = itertools.count(1)
        self._filled: dict[Callable[[str], None], str] = {}
        super().__init__(user=_unprivileged_user(), folder=None if fsync else memory())
        self._tls: Sequence[Path] = write_certificates(self.directory, ()) if tls else ()
        for file in self._tls if self.user else ():
            shutil.chown(file, self.user)

    @property
    def ca_file(self) -> Path:
        """The authority of its certificate."""
        return self._tls[0]

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def start(self) -> None:
        if not self._data.exists():
            self._create_cluster()
        super().start()

    def _create_cluster(self) -> None:
        secret = self.directory / "password"
        secret.write_text(PASSWORD)
        self.run(
            *(self._initdb, f"--pgdata={self._data}", f"--username={USER}"),
            *(f"--pwfile={secret}", "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        )

    def command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self._fsync else "off",
            "shared_buffers": "32MB",
            "max_connections": "100",
            "timezone": "UTC",
        }
        if self._tls:
            _, certificate, key = map(str, self._tls)
            settings |= {"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key}
        options = (part for item in settings.items() for part in ("-c", "=".join(item)))
        return (self._program, "-D", str(self._data), *options)

    def answers(self) -> bool:
        try:
            with self._connect() as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def create_database(self, fill: Callable[[str], None] | None = None) -> str:
        """Create a database and return its SQLAlchemy URL.

        Args:
            fill: fills an empty database, by its URL, and leaves it; called once, and copied for
                whoever asks for the same again. Without it the database is empty.
        """
        if fill is None:
            return self._create("template1")
        if fill not in self._filled:
            url = self._create("template1")
            fill(url)
            self._filled[fill] = _name(url)
        return self._create(self._filled[fill])

    def _create(self, template: str) -> str:
        self.start()
        name = f"test_{next(self._numbers)}"
        with self._connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def drop_database(self, url: str) -> None:
        """Drop a database, also from under its clients."""
        self.start()
        name = sql.Identifier(_name(url))
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            dbname="postgres",
            connect_timeout=5,
            autocommit=True,
        )
