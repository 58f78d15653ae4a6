"""What somebody may write who can write into a queue of Celery: calls, and what is none.

Every text that a message carries holds ``MARKER``, so that a log can be searched for it.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

MARKER = "hunter2"


def call(task: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
    """A message of Celery's protocol 2, as a producer's Celery writes it."""
    return {
        "body": body([args, kwargs or {}, {"callbacks": None, "errbacks": None}]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": task,
            "id": f"id-{MARKER}",
            "root_id": f"id-{MARKER}",
            "eta": None,
            "expires": None,
            "retries": 0,
            "timelimit": [None, None],
            "argsrepr": f"('{MARKER}',)",
            "kwargsrepr": "{}",
            "origin": "producer",
        },
        "properties": {
            "correlation_id": f"id-{MARKER}",
            "delivery_info": {"exchange": "", "routing_key": "events"},
            "delivery_mode": 2,
            "delivery_tag": f"tag-{MARKER}",
            "body_encoding": "base64",
            "priority": 0,
        },
    }


def body(content: Any) -> str:
    """A body as it travels."""
    return base64.b64encode(json.dumps(content).encode()).decode()


def changed(message: Any, **parts: Any) -> Any:
    """A message with other parts; tables are put over the message's own, None takes away."""
    made = dict(message)
    for given, part in parts.items():
        name = given.replace("__", "-")
        if part is None:
            del made[name]
        elif isinstance(part, Mapping) and isinstance(made[name], Mapping):
            made[name] = {**made[name], **part}
        else:
            made[name] = part
    return made


DRAIN = call("inbox.drain")

NO_CALLS: Mapping[str, bytes] = {
    "no JSON": f"{MARKER}{{".encode(),
    "no UTF-8": b"\xff\xfe",
    "nothing": b"",
    **{
        name: json.dumps(message).encode()
        for name, message in {
            "a number": 5,
            "a list": [MARKER],
            "a text": MARKER,
            "null": None,
            "no properties": changed(DRAIN, properties=None),
            "properties are a text": changed(DRAIN, properties=MARKER),
            "no headers": changed(DRAIN, headers=None),
            "headers are a text": changed(DRAIN, headers=MARKER),
            "no content type": changed(DRAIN, content__type=None),
            "the content type is a list": changed(DRAIN, content__type=[MARKER]),
            "pickle": changed(DRAIN, content__type="application/x-python-serialize"),
            "YAML": changed(DRAIN, content__type="application/x-yaml", body=MARKER),
            "no body": changed(DRAIN, body=None),
            "the body is a number": changed(DRAIN, body=5),
            "the body is not base64": changed(DRAIN, body=f"!{MARKER}é"),
            "the body's encoding is not known": changed(
                DRAIN, properties={"body_encoding": "rot13"}
            ),
            "the body is not JSON": changed(DRAIN, body=base64.b64encode(b"hunter2").decode()),
            "the body is nested too deep": changed(
                DRAIN, body=base64.b64encode(b"[" * 200_000).decode()
            ),
            "the body is a table": changed(DRAIN, body=body({MARKER: 1})),
            "the body is too short": changed(DRAIN, body=body([[MARKER]])),
            "arguments are a text": changed(DRAIN, body=body([MARKER, {}, {}])),
            "named arguments are a list": changed(DRAIN, body=body([[], [MARKER], {}])),
            "named arguments become something else": changed(
                DRAIN, body=body([[], {"__type__": "uuid", "__value__": MARKER}, {}])
            ),
            "no task": changed(DRAIN, headers={"task": None}),
            "the task is a list": changed(DRAIN, headers={"task": [MARKER]}),
            "the task's name is endless": changed(DRAIN, headers={"task": MARKER * 100}),
            "no id": changed(DRAIN, headers={"id": None}),
            "a task of Celery itself": call("celery.chord_unlock", [MARKER, {"task": MARKER}]),
            "too large": call("inbox.drain", [MARKER * 200_000]),
        }.items()
    },
}
"""What a worker must throw away without having looked at it."""

BAD_CALLS: Mapping[str, Any] = {
    "a task that ticket workers do not know": call("customer_user.get", [MARKER]),
    "a task that writes": call(
        "customer_user.set_password", [], {"login": "user3", "password": MARKER}
    ),
    "arguments that the task does not take": call("inbox.drain", [MARKER], {MARKER: 1}),
    "arguments that no task takes": call("ticket.created", [1], {"self": MARKER}),
    "the time is none": changed(DRAIN, headers={"eta": MARKER}),
    "the time is a list": changed(DRAIN, headers={"eta": [MARKER]}),
    "the time is far away": changed(DRAIN, headers={"eta": "2999-01-01T00:00:00+00:00"}),
    "the end is none": changed(DRAIN, headers={"expires": MARKER}),
    "the end is a number": changed(DRAIN, headers={"expires": 5}),
    "no time at all": changed(DRAIN, headers={"timelimit": [0.001, 0.001]}),
    "the time limit is a text": changed(DRAIN, headers={"timelimit": MARKER}),
    "the time limit is a number": changed(DRAIN, headers={"timelimit": 3}),
    "retries are a text": changed(DRAIN, headers={"retries": MARKER}),
    "stamps are numbers": changed(DRAIN, headers={"stamped_headers": 5, "stamps": 7}),
    "part of a group": changed(DRAIN, headers={"group": MARKER, "chord": {"task": MARKER}}),
    "compressed": changed(DRAIN, headers={"compression": "application/x-gzip"}),
    "names are tables": changed(DRAIN, headers={"shadow": [MARKER], "root_id": {MARKER: 1}}),
    "no tag": changed(DRAIN, properties={"delivery_tag": None}),
    "the tag is a list": changed(DRAIN, properties={"delivery_tag": [MARKER]}),
    "delivery is a text": changed(DRAIN, properties={"delivery_info": MARKER}),
    "meant for another queue": changed(
        DRAIN, properties={"delivery_info": {"exchange": "admin", "routing_key": "admin"}}
    ),
    "the answer goes nowhere": changed(
        DRAIN, properties={"reply_to": [MARKER], "correlation_id": {}, "priority": MARKER}
    ),
    "the encoding is not known": changed(DRAIN, content__encoding=MARKER),
    "what comes next is no task": changed(
        DRAIN,
        body=body([[], {}, {"callbacks": [5], "errbacks": 7, "chain": {MARKER: 1}, "chord": 3}]),
    ),
}
"""Calls with something odd in them: whatever comes of them, the worker lives on."""
