"""Did any process print, or leave in Redis, what must stay secret?

All passwords of the tests' servers hold ``PASSWORD``, and all attribute values of customer users of
an installation ``VALUE``. So whatever was printed is searched for these two: passwords may stand
nowhere, values only where an operator asked for them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import redis

from tests.acceptance.processes import Printed

PASSWORD = "throw-away"
VALUE = "VALUE-"

SHOWS_VALUES = frozenset({"lookup", "explain", "customer-user"})
"""Commands that answer with values on standard output; none of them does on standard error."""

HOLDS_VALUES = ("fieldfare:cache:", "fieldfare:celery:celery-task-meta-")
"""Keys in which values lie for some minutes; who may read them is told by Redis' users."""


def leaks(printed: Iterable[Printed]) -> Iterator[str]:
    """The lines in which something secret stands, each with the command that printed it."""
    for one in printed:
        answers_with_values = bool(SHOWS_VALUES.intersection(one.arguments))
        told = f"fieldfare {' '.join(one.arguments)}"
        for line in one.out.splitlines():
            if PASSWORD in line or (VALUE in line and not answers_with_values):
                yield f"{told}: {line}"
        for line in one.err.splitlines():
            if PASSWORD in line or VALUE in line:
                yield f"{told}: {line}"


def leaks_in_redis(client: redis.Redis) -> Iterator[str]:
    """The keys in which something secret lies that does not belong there."""
    for key in client.scan_iter(count=1000):
        name = key.decode("utf-8", "replace")
        read = READERS.get(client.type(key))
        content = repr(read(client, key)) if read else ""  # else it has just expired
        misplaced = VALUE in content and not name.startswith(HOLDS_VALUES)
        if PASSWORD in name + content or VALUE in name or misplaced:
            yield name


READERS: Mapping[bytes, Callable[[redis.Redis, bytes], Any]] = {
    b"string": lambda client, key: client.get(key),
    b"hash": lambda client, key: client.hgetall(key),
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"set": lambda client, key: client.smembers(key),
    b"zset": lambda client, key: client.zrange(key, 0, -1),
    b"stream": lambda client, key: client.xrange(key),
}
"""How a key of each type is read."""
