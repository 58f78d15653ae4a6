"""What the commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from directory.model import (
    Absent,
    Answer,
    Attributes,
    AttributeValue,
    Found,
    Unavailable,
    source_name,
)
from mapping.model import Decision
from worker.decision_words import REASONS

if TYPE_CHECKING:
    from directory.directory import Trace
    from worker.handlers.explain import Explanation, FieldExplanation, PastWrite

MASK = "**********"

_PAST = 5
"""Lines of a field's past that a table shows."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

COLOURS: Mapping[str, str] = {
    Decision.WRITE: "green",
    Decision.CLEAR: "yellow",
    Decision.KEEP: "cyan",
    Decision.REFUSE: "red",
    Decision.UNCHANGED: "dim",
}


_CONTROLS = {
    **{code: chr(0x2400 + code) for code in range(0x20) if code != ord("\n")},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
}
"""Characters that a terminal obeys, and pictures of them."""


def plain(text: str, style: str = "") -> Text:
    """A text that somebody else wrote: no markup, and nothing in it is an order to a terminal."""
    return Text(text.translate(_CONTROLS), style=style)


def json_text(value: Any) -> str:
    """JSON as it is piped into other programs, with a line end."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"


def print_json(value: Any) -> None:
    """Print JSON to standard output."""
    sys.stdout.write(json_text(value))


def table(*columns: str, title: str | None = None) -> Table:
    """A table in the one style that all commands share."""
    made = Table(title=title, title_justify="left", header_style="bold", show_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def show(*parts: Table | str) -> None:
    """Print tables and lines; text is never read as markup."""
    console = Console(highlight=False)
    for part in parts:
        console.print(part if isinstance(part, Table) else plain(part))


def age(seconds: float | None) -> str:
    """A span of time in its two largest units; nothing where there is none."""
    if seconds is None:
        return ""
    days, rest = divmod(int(seconds), _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def emitted(entries: Mapping[int, str], *, as_json: bool) -> None:
    """Print which inbox entry each ticket's event became."""
    if as_json:
        print_json([{"ticket_id": ticket, "entry": entry} for ticket, entry in entries.items()])
        return
    for ticket, entry in entries.items():
        show(f"ticket {ticket}: event {entry} is in the inbox")


def lookup(login: str, trace: "Sequence[Trace]", whole: Answer, *, as_json: bool) -> None:
    """Print what each source says of a login, and all that the directory knows of the person.

    Args:
        login: as it was asked for.
        trace: the answer of each source, in order.
        whole: the directory's answer, with company, preferences and dynamic fields.
        as_json: print JSON instead of tables.
    """
    attributes = whole.customer_user.attributes if isinstance(whole, Found) else {}
    if as_json:
        sources = [_trace_data(one) for one in trace]
        stale = isinstance(whole, Found) and bool(whole.stale)
        known = {"attributes": _plain(attributes), "stale": stale}
        print_json({"login": login, "sources": sources, **known})
        return
    overview = table("source", "name", "answer", "")
    for one in trace:
        mark = "decides" if one.decides else ""
        overview.add_row(
            source_name(one.slot), plain(one.name), plain(_answer_text(one.answer)), mark
        )
    show(overview)
    if isinstance(whole, Found) and whole.stale:
        source = source_name(whole.customer_user.slot)
        show("", f"{source} does not answer. Until it does, what it said before is used:")
    if attributes:
        rows = table("variable", "value")
        for name, value in sorted(attributes.items()):
            rows.add_row(plain(name), plain(_value_text(value)))
        show("", rows)
    elif isinstance(whole, Unavailable):
        show("", f"The directory cannot tell: {whole.reason}")


def explanation(found: "Explanation", *, as_json: bool) -> None:
    """Print a ticket's mapped fields with the reason for each."""
    if as_json:
        print_json(asdict(found))
        return
    who = found.customer_user or "no customer user"
    said = {
        "found": f"known to {found.source}",
        "absent": "known to no source" if found.customer_user else "",
        "stale": f"as {found.source} knew them before it stopped to answer: {found.detail}",
        "unavailable": f"unknown as long as {found.source} does not answer: {found.detail}",
    }[found.answer]
    show(f"Ticket {found.number} (id {found.ticket_id}), {who}{', ' if said else ''}{said}", "")
    if not found.fields:
        return
    rows = table("field", "value", "decision", "why")
    for one in found.fields:
        changes = one.decision in {Decision.WRITE, Decision.CLEAR}
        value = f"{one.current} → {one.proposed}" if changes else one.current
        rows.add_row(
            plain(one.field),
            plain(value),
            plain(one.decision, style=COLOURS[one.decision]),
            plain(_why(one)),
        )
    show(rows)
    if any(one.past for one in found.fields):
        show("", _past(found.fields))


def _past(fields: "Sequence[FieldExplanation]") -> Table:
    """Who wrote the fields; of each the newest lines, the newest last."""
    rows = table("field", "written", "by", "value")
    for one in fields:
        older = len(one.past) - _PAST
        if older > 0:
            rows.add_row(plain(one.field), "…", "", f"{older} older lines; --json shows all")
        for write in one.past[-_PAST:]:
            rows.add_row(
                plain(one.field),
                write.time,
                plain(f"{write.by} (ours)" if write.ours else write.by),
                plain(_written(write)),
            )
    return rows


def _written(write: "PastWrite") -> str:
    """What a line says of the values, and how far it can be trusted."""
    if write.old is None or write.new is None:
        return "the line does not tell"
    value = f"{write.old} → {write.new}"
    doubt = "; the field's name is cut, so it may be another field's line"
    return value if write.certain else value + doubt


def settings(effective: BaseModel, *, as_json: bool) -> None:
    """Print the effective settings, secrets masked."""
    tree = masked(effective)
    if as_json:
        print_json(tree)
        return
    rows = table("setting", "value")
    for path, value in _leaves(tree):
        rows.add_row(plain(path), plain(json.dumps(value, ensure_ascii=False, default=str)))
    show(rows)


def masked(value: Any) -> Any:
    """Settings as plain data in which no secret can be read."""
    match value:
        case SecretStr():
            return MASK if value.get_secret_value() else ""
        case BaseModel():
            return {name: masked(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            return {str(key): masked(item) for key, item in value.items()}
        case list() | tuple():
            return [masked(item) for item in value]
        case _:
            return value


def _leaves(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(tree, Mapping) and tree:
        return [
            leaf
            for key, item in tree.items()
            for leaf in _leaves(item, f"{path}.{key}" if path else str(key))
        ]
    return [(path, tree)]


def _why(one: "FieldExplanation") -> str:
    """The reason, what the rule reads, and what was done to the value."""
    rule = " | ".join((", ".join(one.variables), *one.transforms))
    warning = f" ({one.warning})" if one.warning else ""
    offered = f"; the directory has {one.offered}" if one.decision is Decision.KEEP else ""
    return f"{rule}: {REASONS[one.reason]}{warning}{offered if one.offered else ''}"


def _answer_text(answer: Answer) -> str:
    match answer:
        case Found(customer_user=customer_user):
            return f"found: {customer_user.login}"
        case Absent(reason=reason):
            return f"absent: {reason}" if reason else "absent"
        case Unavailable(reason=reason):
            return f"unavailable: {reason}"


def _trace_data(one: "Trace") -> dict[str, Any]:
    data: dict[str, Any] = {
        "source": source_name(one.slot),
        "name": one.name,
        "answer": type(one.answer).__name__.lower(),
        "decides": one.decides,
    }
    if isinstance(one.answer, Found):
        data["login"] = one.answer.customer_user.login
        data["attributes"] = _plain(one.answer.customer_user.attributes)
    else:
        data["reason"] = one.answer.reason
    return data


def _plain(attributes: Attributes) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else _value_text(value)
        for name, value in sorted(attributes.items())
    }


def _value_text(value: AttributeValue) -> str:
    match value:
        case bytes():
            return f"({len(value)} bytes that are not text)"
        case str():
            return value
        case _:
            return ", ".join(value)
