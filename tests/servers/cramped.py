"""A PostgreSQL with one disk that is so small that it can be filled within a moment."""

import os
import subprocess
from collections.abc import Callable, Sequence

from psycopg import sql

from tests.servers.postgresql import PostgresqlServer
from tests.servers.process import MissingServer, find_program

SIZE = "64M"
TABLESPACE = "cramped"


class CrampedPostgresql(PostgresqlServer):
    """Its databases lie on a file system of ``SIZE``; its own files, the WAL too, do not.

    The file system is mounted where this server alone sees it, and gone when it ends: nothing is
    left behind, and a database does not survive a restart.

    Raises:
        MissingServer: this machine lets nobody mount anything, as containers do by default.
    """

    name = "cramped-postgresql"

    def __init__(self) -> None:
        self._alone = [find_program("unshare", "util-linux"), "--mount"]
        if os.geteuid() != 0:
            self._alone += ["--user", "--map-current-user", "--keep-caps"]
        self._probe()
        super().__init__()
        self._disk = self.directory / "disk"
        self._disk.mkdir()

    def _probe(self) -> None:
        mount = ("mount", "-t", "tmpfs", "-o", "size=1M", "probe", "/mnt")
        done = subprocess.run(
            [*self._alone, *mount], capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode != 0:
            msg = (
                f"the tests need to mount a small file system in a namespace of their own, and "
                f"this machine refuses: {done.stderr.strip()}\n"
                "A container needs CAP_SYS_ADMIN for it; elsewhere root may, and anybody where "
                "user namespaces are on"
            )
            raise MissingServer(msg)

    def as_user(self) -> list[str]:
        # The folder of the server belongs to whom it runs as, and so must its disk.
        prepare = f'mount -t tmpfs -o size={SIZE} disk "$0" && chown --reference=. "$0"'
        alone = [*self._alone, "sh", "-c", f'{prepare} && exec "$@"', str(self._disk)]
        return [*alone, *super().as_user()]

    def command(self) -> Sequence[str]:
        # It would give room back, and take files away, at moments of its own.
        settings = ("autovacuum=off", "temp_tablespaces=pg_default")
        return (*super().command(), *(part for one in settings for part in ("-c", one)))

    def create_database(self, fill: Callable[[str], None] | None = None) -> str:
        """Create a database on the small disk and return its SQLAlchemy URL."""
        url = super().create_database(fill)
        name, tablespace = sql.Identifier(url.rpartition("/")[2]), sql.Identifier(TABLESPACE)
        known = "SELECT FROM pg_tablespace WHERE spcname = %s"
        make = sql.SQL("CREATE TABLESPACE {} LOCATION {}")
        move = sql.SQL("ALTER DATABASE {} SET TABLESPACE {}")
        with self._connect() as connection:
            if connection.execute(known, [TABLESPACE]).fetchone() is None:
                connection.execute(make.format(tablespace, sql.Literal(str(self._disk))))
            connection.execute(move.format(name, tablespace))
        return url
