"""Real servers for tests: started on free loopback ports in temporary directories, and stopped."""

from tests.servers.mariadb import MariadbServer
from tests.servers.postgresql import PostgresqlServer
from tests.servers.process import MissingServer, Server, ServerFailed
from tests.servers.redis import RedisServer, redis_server, valkey_server
from tests.servers.slapd import SlapdServer

__all__ = [
    "MariadbServer",
    "MissingServer",
    "PostgresqlServer",
    "RedisServer",
    "Server",
    "ServerFailed",
    "SlapdServer",
    "redis_server",
    "valkey_server",
]
