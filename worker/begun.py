"""Which calls that write have begun, and nobody saw them end? Their lines, before the audit's.

A worker can be killed between COMMIT and what follows. So the line of a call is kept from before it
writes until the audit has it, and with it how long the call can be at work. What is still there
after that tells of one whose outcome nobody knows.
"""

from dataclasses import dataclass
from typing import Any

import redis

from worker import audit
from worker.entries import milliseconds

KEY = "fieldfare:begun"
"""A stream, so that the server's clock alone says how long ago a call began."""

MOST = 1000
"""Lines that are kept; more calls are never at work, and those left over are looked for often."""

_PORTION = 20

_SETTLE = """
-- KEYS: begun, audit. ARGV: id, most lines of the audit, line. Of several only one gives it over.
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[2], '*', 'line', ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that has begun.

    Attributes:
        id: in the stream.
        line: as the audit is to have it if nobody sees the call end.
    """

    id: str
    line: audit.Line


def begin(client: redis.Redis, line: audit.Line, seconds: float) -> tuple[str, list[Begun]]:
    """Keep that a call begins, with one round trip; its id, and some that are left over.

    Args:
        client: answers bytes.
        line: of the call.
        seconds: after which it is not at work any more.

    Raises:
        redis.RedisError: it may not be kept.
    """
    pipeline = client.pipeline()
    fields: dict[Any, Any] = {"line": audit.text(line), "seconds": seconds}
    pipeline.xadd(KEY, fields, maxlen=MOST, approximate=False)
    pipeline.xrange(KEY, count=_PORTION)
    added, oldest = pipeline.execute()
    now = milliseconds(added.decode())
    return added.decode(), _left_over(oldest, now)


def left_over(client: redis.Redis) -> list[Begun]:
    """Some of the calls that nobody saw end, the oldest first.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    pipeline = client.pipeline()
    pipeline.time()
    pipeline.xrange(KEY, count=_PORTION)
    (now, micro), oldest = pipeline.execute()
    return _left_over(oldest, now * 1000 + micro // 1000)


def end(client: redis.Redis, id_: str) -> None:
    """Take a call away whose end was seen.

    Raises:
        redis.RedisError: it may still be there.
    """
    client.xdel(KEY, id_)


def settle(client: redis.Redis, call: Begun, most: int) -> bool:
    """Give the line of a call over to the audit; False if somebody else did.

    Args:
        client: answers bytes.
        call: left over.
        most: how many lines the audit keeps.

    Raises:
        redis.RedisError: it is still left over.
    """
    script = client.register_script(_SETTLE)
    return bool(script(keys=[KEY, audit.KEY], args=[call.id, most, audit.text(call.line)]))


def _left_over(rows: Any, now: int) -> list[Begun]:
    """Those of some entries that began too long ago; ``now`` in milliseconds."""
    return [
        Begun(id_.decode(), audit.line(fields[b"line"]))
        for id_, fields in rows
        if milliseconds(id_.decode()) < now - float(fields.get(b"seconds", 0)) * 1000
    ]
