"""What does a recorded case hold? The files of a folder, read into topics, cases and steps."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]

REQUESTS = frozenset({"generic_interface", "postmaster"})
"""Requests that name what they submit in the event, and have no screen."""

SETS_CUSTOMER = frozenset({"ticket_create", "ticket_customer_set"})


class UnreadableCases(Exception):
    """A folder holds no cases, or a file in it is not of the format."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request to the ticket system, and what OTOBO was seen to do.

    Attributes:
        number: counted from 1.
        calls: what the request amounts to, in order.
        request: ``screen``, ``generic_interface`` or ``postmaster``.
        several: the result is a list, with one for each call.
    """

    number: int
    calls: Sequence[Json]
    request: str
    several: bool
    expect: Json = field(repr=False)

    def submitted(self) -> Mapping[str, Sequence[str]]:
        """By ticket: the fields that were set after its customer was set last."""
        fields: dict[str, list[str]] = {}
        for call in self.calls:
            ticket = ticket_of(call)
            if call.get("op") in SETS_CUSTOMER:
                fields[ticket] = []
            elif call.get("op") == "dynamic_field_set" and ticket in fields:
                fields[ticket].append(call["field"])
        return fields


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration, a directory, and steps.

    Attributes:
        source_configs: the blocks that the case's sources name.
    """

    id: str
    topic: str
    title: str
    config: Json = field(repr=False)
    directory: Json = field(repr=False)
    source_configs: Json = field(repr=False)
    steps: Sequence[Step] = field(repr=False)


def load(folder: Path) -> list[Case]:
    """All cases of a folder, by topic and in the order of their files.

    Raises:
        UnreadableCases: there are none, or a file is not of the format.
    """
    cases: list[Case] = []
    for path in sorted(folder.glob("*.json")):
        try:
            cases += _topic(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = f"{path.name}: not of the format: {type(error).__name__}: {error}"
            raise UnreadableCases(msg) from error
    if not cases:
        msg = f"{folder} holds no cases"
        raise UnreadableCases(msg)
    return cases


def ticket_of(call: Json) -> str:
    """The name of the ticket that a call is about."""
    return str(call.get("ticket") or "T1")


def _topic(data: Json) -> Iterator[Case]:
    for case in data["cases"]:
        yield Case(
            id=case["id"],
            topic=data["topic"],
            title=case.get("title", ""),
            config=case["config"],
            directory=case.get("directory") or {},
            source_configs=data.get("source_configs") or {},
            steps=[_step(number, step) for number, step in enumerate(case["steps"], start=1)],
        )


def _step(number: int, step: Json) -> Step:
    calls = list(_calls(step))
    requests = [kind for kind, _ in calls if kind in REQUESTS]
    return Step(
        number=number,
        calls=[call for _, call in calls],
        request=requests[0] if requests else "screen",
        several="calls" in step and "do" not in step,
        expect=step.get("expect") or {},
    )


def _calls(step: Json, kind: str = "screen") -> Iterator[tuple[str, Json]]:
    """The calls of a step one by one, with the kind of request that each belongs to."""
    if step.get("do") in REQUESTS:
        kind = str(step["do"])
    if "calls" in step:
        for call in step["calls"]:
            yield from _calls(call, kind)
    else:
        yield kind, step
