"""MariaDB as Debian packages it, with a fresh database for whoever asks."""

import itertools
import os
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pymysql

from tests.servers.certificates import write_certificates
from tests.servers.process import Server, find_program, memory

PACKAGE = "mariadb-server"
USER = "fieldfare"
PASSWORD = "throw-away"
_TLS_PARTS = ("ca", "cert", "key")


class MariadbServer(Server):
    """A server with Debian's character set and collation, reached with a password over TCP.

    Its data are kept in memory where that has room. With ``tls`` it speaks TLS as well, with a
    certificate for the name localhost and for no address.
    """

    name = "mariadb"

    def __init__(self, *, tls: bool = False) -> None:
        self._program = find_program("mariadbd", PACKAGE)
        self._install = find_program("mariadb-install-db", PACKAGE)
        self._numbers = itertools.count(1)
        super().__init__(folder=memory())
        self._tls: Sequence[Path] = write_certificates(self.directory, ()) if tls else ()

    @property
    def ca_file(self) -> Path:
        """The authority of its certificate."""
        return self._tls[0]

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def start(self) -> None:
        if not self._data.exists():
            self._create_data()
        super().start()

    def _create_data(self) -> None:
        self.run(
            *(self._install, "--no-defaults", f"--datadir={self._data}", *self._as_root()),
            *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
        )
        (self.directory / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'127.0.0.1' WITH GRANT OPTION;\n"
        )

    @staticmethod
    def _as_root() -> tuple[str, ...]:
        """mariadbd runs as root only when told so."""
        return ("--user=root",) if os.geteuid() == 0 else ()

    def command(self) -> Sequence[str]:
        return (
            # No file under /etc is read, so Debian's own values are given here.
            *(self._program, "--no-defaults", f"--datadir={self._data}", *self._as_root()),
            *("--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"),
            *("--bind-address=127.0.0.1", f"--port={self.port}", "--skip-name-resolve"),
            # Relative to the data directory: a long TMPDIR would not fit into a socket's address.
            *("--socket=socket", f"--init-file={self.directory / 'init.sql'}"),
            *("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"),
            *("--innodb-flush-log-at-trx-commit=0", "--default-time-zone=+00:00"),
            *(f"--ssl-{part}={file}" for part, file in zip(_TLS_PARTS, self._tls, strict=False)),
        )

    def answers(self) -> bool:
        try:
            with closing(self._connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                return cursor.fetchone() == (1,)
        except pymysql.err.OperationalError:
            return False

    def create_database(self, fill: Callable[[str], None] | None = None) -> str:
        """Create a database and return its SQLAlchemy URL.

        Args:
            fill: fills an empty database, by its URL; MariaDB has no quicker way to a copy.
                Without it the database is empty.
        """
        self.start()
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        address = f"127.0.0.1:{self.port}/{name}"
        url = f"mysql+pymysql://{USER}:{PASSWORD}@{address}?charset=utf8mb4"
        if fill is not None:
            fill(url)
        return url

    def drop_database(self, url: str) -> None:
        """Drop a database, also from under its clients."""
        self.start()
        name = url.rpartition("/")[2].partition("?")[0]
        clients = self._execute("SELECT id FROM information_schema.processlist WHERE db = %s", name)
        for (client,) in clients:
            with suppress(pymysql.err.OperationalError):  # it has just left by itself
                self._execute("KILL %s", client)
        self._execute(f"DROP DATABASE IF EXISTS `{name}`")

    def _execute(self, statement: str, *values: object) -> Sequence[tuple[object, ...]]:
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return tuple(cursor.fetchall())

    def _connect(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            charset="utf8mb4",
            connect_timeout=5,
            autocommit=True,
        )
