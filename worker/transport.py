"""Which messages does a worker take from its queue? Calls of tasks, in Celery's protocol 2.

Who may ring may write anything into the queue. kombu and Celery believe what they read there: a
message that is no JSON, or has a text where a table must be, would end the worker, and some would
come back and end the next one. So each message is judged before they see it. What is no call is
thrown away with a line in the log; of a call only what is needed passes: no further calls that are
to follow it, since the worker would send them with its own rights. Which tasks there are, and with
which arguments, is not judged here: Celery refuses what it does not know.
"""

import base64
import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import uuid4

import structlog
from kombu.transport import redis as kombu_redis

NAME = f"{__name__}:Transport"
"""The name by which kombu finds the transport."""

MAX_BYTES = 1024 * 1024
"""Most bytes of a message."""

_JSON = "application/json"
_MAX_TEXT = 255
"""Most characters of a header. Ids have 36, names of queues and tasks less than 200."""

# Not among them: eta would have the worker keep the message in its memory, timelimit would end the
# process that works on it, compression can hold a thousand times what it seems to.
_TEXT_HEADERS = ("lang", "task", "id", "root_id", "parent_id", "expires")
_TEXT_PROPERTIES = ("correlation_id", "reply_to")

log = structlog.get_logger("fieldfare")


class NoCall(ValueError):
    """A message is no call of a task; the text says why, without what it holds."""


def admitted(raw: bytes | str, queue: str) -> str:
    """A message as kombu and Celery can bear it.

    Args:
        raw: what stood in the queue.
        queue: where it comes back to, whatever it says itself, when a worker did not finish it.

    Raises:
        NoCall: it is no call of a task.
    """
    if len(raw) > MAX_BYTES:
        raise NoCall(f"it has more than {MAX_BYTES} bytes")
    message = _table(_loaded(raw, "it"), "one around all")
    headers = _table(message.get("headers"), "its headers")
    properties = _table(message.get("properties"), "its properties")
    if message.get("content-type") != _JSON:
        raise NoCall(f"its body is not {_JSON}")
    kept = _texts(headers, _TEXT_HEADERS)
    if not kept.get("task") or not kept.get("id"):
        raise NoCall("it names no task, or has no id")
    if kept["task"].startswith("celery."):
        raise NoCall("it calls a task of Celery itself")  # one could repeat itself for ever
    info = properties.get("delivery_info")
    redelivered = isinstance(info, dict) and info.get("redelivered") is True
    return json.dumps(
        {
            "body": _body(message.get("body"), properties.get("body_encoding")),
            "content-type": _JSON,
            "content-encoding": "utf-8",
            "headers": {
                **kept,
                "ignore_result": headers.get("ignore_result") is True,
                **({"redelivered": True} if redelivered else {}),
            },
            "properties": {
                **_texts(properties, _TEXT_PROPERTIES),
                "body_encoding": "base64",
                "delivery_mode": 2,
                "priority": 0,
                # A tag of ours: with one that is taken, one message would be settled for the other.
                "delivery_tag": str(uuid4()),
                "delivery_info": {"exchange": "", "routing_key": queue, "redelivered": redelivered},
            },
        }
    )


def _body(body: Any, encoding: Any) -> str:
    """The body in base64: positional and named arguments, and nothing that is to be called next."""
    if not isinstance(body, str) or encoding not in {None, "base64"}:
        raise NoCall("its body is no text")
    try:
        plain = body.encode() if encoding is None else base64.b64decode(body, validate=True)
    except ValueError:
        raise NoCall("its body is not base64") from None
    match _loaded(plain, "its body"):
        # Celery's JSON would make something else of a table with the key __type__.
        case [list() as positional, dict() as named, _] if "__type__" not in named:
            return base64.b64encode(json.dumps([positional, named, {}]).encode()).decode()
    raise NoCall("its body has not the arguments of a task")


def _loaded(text: bytes | str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise NoCall(f"{what} is not JSON") from None


def _table(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NoCall(f"no table where there should be {what}")
    return value


def _texts(table: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """What a table has under these names, where it is a text of bearable length."""
    found = {name: table.get(name) for name in names}
    return {
        name: text
        for name, text in found.items()
        if isinstance(text, str) and len(text) <= _MAX_TEXT
    }


class _Client(kombu_redis.PrefixedStrictRedis):
    """Hands on what a queue gives as far as it can be admitted."""

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        answer: Any = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name != "BRPOP" or not answer:
            return answer
        key, raw = answer
        # Behind the queue's name there is, after a sign, a message's priority, where it has one.
        queue = key.decode().partition(kombu_redis.Channel.sep)[0]
        try:
            return key, admitted(raw, queue)
        except NoCall as refusal:
            reason = str(refusal)
        log.error("message.thrown_away", queue=queue, reason=reason)
        return None  # as if nothing had come


class _Channel(kombu_redis.Channel):
    def _get_client(self) -> Any:
        return partial(_Client, global_keyprefix=self.global_keyprefix)


class Transport(kombu_redis.Transport):
    """kombu's transport through Redis with a doorkeeper."""

    Channel = _Channel
