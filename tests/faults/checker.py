"""Is everything right at rest? Every ticket is compared with the truth, and the inbox is empty.

    report = check(simulator)
    assert report.clean, report        # the message has the counts and the first few offenders
    report["lost"]                     # tickets with that problem

Problems of a ticket, one kind each field at most:

``lost``          a value is missing or old, and the worker wrote nothing behind the newest setting
                  of the customer user: nobody looked at the ticket
``erased``        the field is empty by the worker's hand, and must not be
``wrong``         another value than it must be
``two_rows``      a field that holds one value has several rows
``written_twice`` the worker wrote a value that stood there already, and a second history line
``half_written``  rows, history and the ticket's own stamp do not tell the same: the newest line
                  tells another value than the row, a row has no line, or the worker's line has no
                  stamp

``leftovers(inbox)`` says what is not empty: entries in the inbox, entries in somebody's hands,
waiting rooms, dead letters.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Engine, select

from tests.faults.people import FIELDS
from tests.faults.simulator import Simulator
from tests.inbox_stats import stats
from tests.otobo import HISTORY_TYPES, WORKER
from worker.inbox import Inbox
from worker.tickets import schema

KINDS = ("lost", "erased", "wrong", "two_rows", "written_twice", "half_written")
SHOWN = 5

_TYPES = {
    id_: name
    for id_, name in HISTORY_TYPES.items()
    if name in {"NewTicket", "CustomerUpdate", "TicketDynamicFieldUpdate"}
}


class Line(NamedTuple):
    """A history line that bears on fields.

    Attributes:
        field: the field that was written, with the value that the line tells; else empty.
    """

    type: str
    author: int
    field: str = ""
    value: str = ""


class Ticket(NamedTuple):
    """What stands in the database of one ticket."""

    change_by: int
    rows: Mapping[str, Sequence[str]]
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Attributes:
        tickets: how many were compared.
        problems: for each kind, what was found: "ticket 7, CustomerCity: ...".
    """

    tickets: int
    problems: Mapping[str, Sequence[str]] = field(default_factory=dict)
    concerned: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, kind: str) -> int:
        """How many tickets have a problem of this kind."""
        return self.concerned.get(kind, 0)

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def __str__(self) -> str:
        told = [f"{self.tickets} tickets"]
        told += [f"{kind}: {self[kind]}" for kind in KINDS]
        lines = [", ".join(told)]
        for kind, found in self.problems.items():
            lines += [f"{kind}: {one}" for one in found[:SHOWN]]
        return "\n".join(lines)


def check(system: Simulator) -> Report:
    """Compare all tickets, in one pass over rows and lines.

    A ticket that the ticket system does not know, or that is missing there, is ``wrong``.
    """
    problems: dict[str, list[str]] = defaultdict(list)
    concerned: Counter[str] = Counter()
    unseen = set(system.tickets)
    for ticket_id, stands in _read(system.engine):
        if ticket_id not in unseen:
            continue
        unseen.remove(ticket_id)
        found = list(
            judge(stands, system.expected(ticket_id), system.initial(ticket_id)),
        )
        for kind, text in found:
            problems[kind].append(f"ticket {ticket_id}, {text}")
        concerned.update({kind for kind, _ in found})
    for ticket_id in sorted(unseen):
        problems["wrong"].append(f"ticket {ticket_id}: it is gone")
        concerned["wrong"] += 1
    return Report(len(system.tickets), dict(problems), dict(concerned))


def judge(
    ticket: Ticket, expected: Mapping[str, str], initial: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The problems of one ticket: kind and text."""
    anchors = [at for at, line in enumerate(ticket.lines) if not line.field]
    behind = ticket.lines[max(anchors, default=-1) + 1 :]
    seen = any(line.author == WORKER for line in behind)
    for name in FIELDS:
        rows = ticket.rows.get(name, ())
        lines = [line for line in ticket.lines if line.field == name]
        stands = rows[0] if rows else ""
        told = lines[-1].value if lines else initial[name]
        if len(rows) > 1:
            yield "two_rows", f"{name}: {list(rows)}"
        elif stands != expected[name]:
            emptied = lines and not lines[-1].value and lines[-1].author == WORKER
            kind = "lost" if not seen else "erased" if emptied and not stands else "wrong"
            yield kind, f"{name}: {stands!r} instead of {expected[name]!r}"
        if len(rows) <= 1 and stands != told:
            yield "half_written", f"{name}: {stands!r}, but its newest line tells {told!r}"
        value = initial[name]
        for line in lines:
            if line.value == value and line.author == WORKER:
                yield "written_twice", f"{name}: {value!r}"
            value = line.value
    if ticket.lines and ticket.lines[-1].author == WORKER and ticket.change_by != WORKER:
        yield "half_written", "the worker's newest line has no stamp"


def leftovers(inbox: Inbox) -> Mapping[str, object]:
    """What is not as it must be at rest; empty if all is well."""
    now = stats(inbox)
    found = {
        "length": now.length,
        "pending": dict(now.pending),
        "waiting": dict(now.waiting),
        "dead": now.dead,
    }
    return {name: value for name, value in found.items() if value}


def worker_lines(engine: Engine) -> int:
    """How many history lines the worker wrote."""
    line = schema.ticket_history.c
    with engine.connect() as connection:
        return len(connection.execute(select(line.id).where(line.create_by == WORKER)).all())


def _read(engine: Engine) -> Iterator[tuple[int, Ticket]]:
    """All tickets in the order of their ids, without holding them all in memory."""
    ticket, value, line = schema.ticket.c, schema.dynamic_field_value.c, schema.ticket_history.c
    name = schema.dynamic_field.c
    values = (
        select(value.object_id, name.name, value.value_text)
        .select_from(schema.dynamic_field_value)
        .join(schema.dynamic_field, name.id == value.field_id)
        .order_by(value.object_id, value.id)
    )
    lines = (
        select(line.ticket_id, line.history_type_id, line.create_by, line.name)
        .where(line.history_type_id.in_(_TYPES))
        .order_by(line.ticket_id, line.id)
    )
    tickets = select(ticket.id, ticket.change_by).order_by(ticket.id)
    with (
        engine.connect() as of_tickets,
        engine.connect() as of_values,
        engine.connect() as of_lines,
    ):
        found_values = _Groups(of_values.execution_options(yield_per=5000).execute(values))
        found_lines = _Groups(of_lines.execution_options(yield_per=5000).execute(lines))
        for ticket_id, change_by in of_tickets.execution_options(yield_per=5000).execute(tickets):
            rows: dict[str, list[str]] = defaultdict(list)
            for _, field_name, text in found_values.of(ticket_id):
                rows[field_name].append(text or "")
            told = [
                _line(_TYPES[type_], author, text)
                for _, type_, author, text in found_lines.of(ticket_id)
            ]
            yield ticket_id, Ticket(change_by, rows, told)


class _Groups:
    """Rows that are sorted by their first column, handed out by it in rising order."""

    def __init__(self, rows: Iterable[Sequence[object]]) -> None:
        self._groups = groupby(rows, itemgetter(0))
        self._key: object = None
        self._next: list[Sequence[object]] = []

    def of(self, key: int) -> list[Sequence[object]]:
        while self._key is None or self._key < key:
            found = next(self._groups, None)
            if found is None:
                return []
            self._key, self._next = found[0], list(found[1])
        return self._next if self._key == key else []


def _line(type_: str, author: int, text: str) -> Line:
    if type_ != "TicketDynamicFieldUpdate":
        return Line(type_, author)
    _, _, rest = text.partition("%%FieldName%%")
    name, _, rest = rest.partition("%%Value%%")
    return Line(type_, author, name, rest.partition("%%OldValue%%")[0])
