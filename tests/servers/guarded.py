"""A Redis or Valkey with the users of examples/deploy/valkey, and one more that may all."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

from tests.servers.redis import RedisServer

ROOT = Path(__file__).parents[2]
USERS_SCRIPT = ROOT / "examples/deploy/valkey/users.sh"
USERS = ("producer", "worker", "admin", "caller", "resync", "monitor")


class GuardedServer(RedisServer):
    """A server in which everybody may do only what they must."""

    def __init__(self, name: str, program: str) -> None:
        super().__init__(name, program)
        self.secrets = self.directory / "secrets"
        self.secrets.mkdir()
        for user in USERS:
            (self.secrets / f"redis_{user}").write_text(f"{self.password(user)}\n")
        done = subprocess.run(
            ["sh", USERS_SCRIPT, self.secrets], capture_output=True, text=True, check=True
        )
        everything = f"user root on >{self.password('root')} ~* &* +@all\n"
        (self.directory / "users.acl").write_text(done.stdout + everything)

    def command(self) -> Sequence[str]:
        return (*super().command(), "--aclfile", str(self.directory / "users.acl"))

    @staticmethod
    def password(user: str) -> str:
        return f"throw-away-{user}"

    def url_of(self, user: str) -> str:
        """The URL with a user and their password."""
        return self.url.replace("//", f"//{user}:{self.password(user)}@")

    @property
    def url_of_all(self) -> str:
        """The URL of the user ``root``."""
        return self.url_of("root")

    def client(self, user: str = "root") -> redis.Redis:
        """A new client of a user that answers with text."""
        return redis.Redis.from_url(self.url_of(user), decode_responses=True)

    def refused(self) -> list[tuple[Any, ...]]:
        """What was refused since the last call: user, why, and what they wanted."""
        with self.client() as client:
            lines = client.acl_log()
            client.acl_log_reset()
        # Redis 7.0 lacks it, and clients do without: they only tell their name and version.
        return [
            (line["username"], line["reason"], line["object"], line["client-info"]["cmd"])
            for line in lines
            if line["object"] != "client|setinfo"
        ]
