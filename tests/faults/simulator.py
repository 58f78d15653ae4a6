"""A small ticket system that knows what every mapped field must be at rest.

    system = Simulator(url, seed=1)             # an empty database: tables, fields, agents
    tickets = system.preload(logins)            # set-based: tickets by mail, a customer user each
    events = system.change_all(tickets, others) # set-based: each gets another customer user
    event = system.create("user1", typed="+1")  # single steps, each statement committed by itself
    event = system.change_customer(ticket_id, "user2")
    system.write(ticket_id, "CustomerCity", "typed")
    system.expected(ticket_id)                  # {"CustomerCity": "typed", ...}; "" is nothing

It writes as OTOBO does (``tests.otobo``): every statement is committed by itself, ValueSet is
DELETE, INSERT, then the ticket's stamp and a history line, and no ticket is ever locked. Steps
return the events that the ticket system's event modules would raise; who calls them decides when
and how often they are sent (``tests.faults.couriers``).

Any number of threads may take steps, as long as each ticket belongs to one of them: what two
agents do to one ticket at the same moment has no right answer. ``update_waits`` holds how long
each UPDATE of a ticket took, in seconds.

What a field must be: the value of the ticket's customer user (``people.values``), or what a screen
wrote behind the newest setting of the customer user, or what the screen for phone tickets
submitted at the ticket's creation, even if that was nothing.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    String,
    Table,
    bindparam,
    cast,
    create_engine,
    delete,
    event,
    insert,
    literal,
    select,
    update,
)

from tests import otobo
from tests.faults import people
from tests.otobo import AGENT, ROOT, Otobo
from worker.tickets import schema

Event = Mapping[str, str]
"""The fields of an inbox entry."""

PRELOADED_AGO = timedelta(minutes=1)
"""Requests that were preloaded have ended long since: a sweep may take their tickets up."""

_LINE = {"type_id": 1, "queue_id": 2, "owner_id": 1, "priority_id": 3, "state_id": 4}
_ARTICLE = {
    "article_sender_type_id": 3,
    "communication_channel_id": 1,
    "is_visible_for_customer": 1,
}
_TYPE_IDS = {name: id_ for id_, name in otobo.HISTORY_TYPES.items()}


class Simulator:
    """The ticket system, and the truth about it.

    Attributes:
        url: of its database.
        otobo: for what the simulator has no step for; tell ``forget`` what it must not check.
        update_waits: seconds that each ``UPDATE ticket`` of a single step took.
    """

    def __init__(self, url: str, fields: Iterable[str] = people.FIELDS) -> None:
        self.url = url
        otobo.install(url)
        self.otobo = Otobo(url)
        self.engine = create_engine(url)
        self.field_ids = self.otobo.add_fields(fields)
        self.update_waits: list[float] = []
        self._tickets = 0
        self._numbering = threading.Lock()
        self._customer_users: dict[int, str] = {}
        self._typed: dict[int, dict[str, str]] = {}
        self._before: dict[int, Mapping[str, str]] = {}
        event.listen(self.otobo.engine, "before_cursor_execute", _begin)
        event.listen(self.otobo.engine, "after_cursor_execute", self._end)

    def close(self) -> None:
        """Close its connections."""
        self.otobo.close()
        self.engine.dispose()

    # -- the truth

    @property
    def tickets(self) -> Sequence[int]:
        """The ids of all tickets, in order."""
        return sorted(self._customer_users)

    def customer_user(self, ticket_id: int) -> str:
        """The login of the ticket's customer user."""
        return self._customer_users[ticket_id]

    def expected(self, ticket_id: int) -> Mapping[str, str]:
        """What each mapped field must hold at rest; empty for nothing."""
        values = people.values(self._customer_users[ticket_id])
        typed = self._typed.get(ticket_id)
        return {**values, **typed} if typed else values

    def initial(self, ticket_id: int) -> Mapping[str, str]:
        """What each mapped field held when the ticket was preloaded, without a history line."""
        return self._before.get(ticket_id, people.NOTHING)

    def forget(self, ticket_id: int) -> None:
        """Take a ticket out of what is checked."""
        self._customer_users.pop(ticket_id)
        self._typed.pop(ticket_id, None)
        self._before.pop(ticket_id, None)

    # -- many at once

    def preload(self, logins: Sequence[str], before: Sequence[str] | None = None) -> list[int]:
        """Tickets that came by mail, in four statements; returns their ids in order.

        Args:
            logins: the customer user of each ticket.
            before: whose values the fields hold, as if written long ago; by default they are empty.
        """
        first = self._tickets + 1
        self._tickets += len(logins)
        stamps = _stamps(ROOT, datetime.now(UTC) - PRELOADED_AGO)
        rows = [
            {
                **_ticket(first + number, ROOT),
                "customer_id": "ACME",
                "customer_user_id": login,
                **stamps,
            }
            for number, login in enumerate(logins)
        ]
        ticket = schema.ticket.c
        created = literal("%%") + ticket.tn + "%%Raw%%3 normal%%new%%" + cast(ticket.id, String(20))
        with self.engine.begin() as connection:
            connection.execute(insert(schema.ticket), rows)
            found = select(ticket.id).where(ticket.tn >= rows[0]["tn"]).order_by(ticket.id)
            ids = list(connection.execute(found).scalars())
            new = ticket.id >= ids[0]
            connection.execute(_lines("NewTicket", created, stamps, new))
            set_ = literal("%%CustomerID=ACME;CustomerUser=") + ticket.customer_user_id + ";"
            connection.execute(_lines("CustomerUpdate", set_, stamps, new))
            article, of_ticket = schema.article, {"ticket_id": ticket.id}
            connection.execute(
                _for_each(schema.ticket, article, {**_ARTICLE, **stamps}, of_ticket, new)
            )
            same = {**_LINE, "name": "%%", "history_type_id": _TYPE_IDS["EmailCustomer"], **stamps}
            copied = {"ticket_id": article.c.ticket_id, "article_id": article.c.id}
            new = article.c.ticket_id >= ids[0]
            connection.execute(_for_each(article, schema.ticket_history, same, copied, new))
        if before is not None:
            for ticket_id, login in zip(ids, before, strict=True):
                self._before[ticket_id] = people.values(login)
            self._preload_values(ids)
        self._customer_users.update(zip(ids, logins, strict=True))
        self._analyze()
        return ids

    def change_all(self, tickets: Sequence[int], logins: Sequence[str]) -> list[Event]:
        """An agent sets the customer user of each ticket, set-based; returns an event for each."""
        stamps = _stamps(AGENT, datetime.now(UTC) - PRELOADED_AGO / 2)
        ticket = schema.ticket.c
        name = literal("%%CustomerID=ACME;CustomerUser=") + ticket.customer_user_id + ";"
        changed = {"change_time": stamps["change_time"], "change_by": AGENT}
        rows = [{"to": i, "new": new} for i, new in zip(tickets, logins, strict=True)]
        with self.engine.begin() as connection:
            connection.execute(
                update(schema.ticket)
                .where(ticket.id == bindparam("to"))
                .values(customer_user_id=bindparam("new"), **changed),
                rows,
            )
            for part in _parts(tickets):
                connection.execute(_lines("CustomerUpdate", name, stamps, ticket.id.in_(part)))
        for ticket_id, login in zip(tickets, logins, strict=True):
            self._customer_users[ticket_id] = login
            self._typed.pop(ticket_id, None)
        self._analyze()
        return [changed_event(ticket_id) for ticket_id in tickets]

    def _preload_values(self, tickets: Sequence[int]) -> None:
        rows = [
            {"object_id": i, "field_id": self.field_ids[name], "value_text": value}
            for i in tickets
            for name, value in self._before[i].items()
            if value
        ]
        if rows:
            with self.engine.begin() as connection:
                connection.execute(insert(schema.dynamic_field_value), rows)

    def _analyze(self) -> None:
        """What autovacuum would do within a minute; until then plans are made blindly."""
        if self.engine.dialect.name == "postgresql":
            with self.otobo.engine.connect() as connection:
                connection.exec_driver_sql("ANALYZE")

    # -- one step after the other, each statement committed by itself

    def create(self, login: str, typed: str | None = None) -> tuple[int, Event]:
        """A ticket by mail; or by phone, where an agent types into the screen's field.

        Args:
            login: its customer user.
            typed: what the agent left in the field ``people.OWNED``; None for a mail.

        Returns:
            The ticket's id, and its event.
        """
        author = ROOT if typed is None else AGENT
        with self._numbering:
            self._tickets += 1
            tn = _number(self._tickets)
        ticket_id = self.otobo.create_ticket(login, "ACME", user_id=author, tn=tn)
        self._customer_users[ticket_id] = login
        if typed is None:
            self.otobo.add_article(ticket_id, "EmailCustomer")
            return ticket_id, created_event(ticket_id)
        self._typed[ticket_id] = {people.OWNED: typed}
        if typed:
            self._set(ticket_id, people.OWNED, typed)
        self.otobo.add_article(ticket_id, "PhoneCallCustomer", user_id=AGENT)
        return ticket_id, created_event(ticket_id, people.PHONE_SCREEN, people.OWNED)

    def change_customer(self, ticket_id: int, login: str) -> Event:
        """AgentTicketCustomer: it has no dynamic fields, so all of them follow the directory."""
        self.otobo.set_customer(ticket_id, login, "ACME", user_id=AGENT)
        self._customer_users[ticket_id] = login
        self._typed.pop(ticket_id, None)
        return changed_event(ticket_id)

    def write(self, ticket_id: int, field: str, value: str) -> None:
        """AgentTicketFreeText: an agent types into a field, or empties it. Raises no event."""
        if self._set(ticket_id, field, value):
            self._typed.setdefault(ticket_id, {})[field] = value

    def delete(self, ticket_id: int) -> None:
        """TicketDelete; the ticket is forgotten."""
        self.otobo.delete_ticket(ticket_id)
        self.forget(ticket_id)

    def _set(self, ticket_id: int, field: str, value: str) -> bool:
        """ValueSet, with the field's id known beforehand; nothing where the value is there."""
        rows, field_id = schema.dynamic_field_value, self.field_ids[field]
        here = (rows.c.field_id == field_id, rows.c.object_id == ticket_id)
        with self.otobo.engine.connect() as connection:
            old = connection.execute(select(rows.c.value_text).where(*here)).scalars().first()
            if (old or "") == value:
                return False
            connection.execute(delete(rows).where(*here))
            if value:
                row = {"field_id": field_id, "object_id": ticket_id, "value_text": value}
                connection.execute(insert(rows).values(row))
        self.otobo.update_ticket(ticket_id, user_id=AGENT)
        self.otobo.add_update_line(ticket_id, field, value, old or "")
        return True

    def _end(self, connection: Any, _: object, statement: str, *__: object) -> None:
        if statement.startswith("UPDATE ticket "):
            self.update_waits.append(time.perf_counter() - connection.info["began"])


def created_event(ticket_id: int, screen: str = "", *fields: str) -> Event:
    """TicketCreate, as the ticket system's event module tells it."""
    event = {"type": "ticket.created", "ticket_id": str(ticket_id)}
    if screen:
        event |= {"screen": screen, "fields": ",".join(fields)}
    return event


def changed_event(ticket_id: int) -> Event:
    """TicketCustomerUpdate."""
    return {"type": "ticket.customer_changed", "ticket_id": str(ticket_id)}


def _begin(connection: Any, *_: object) -> None:
    connection.info["began"] = time.perf_counter()


def _number(number: int) -> str:
    return f"2026{number:012d}"


def _ticket(number: int, user_id: int) -> dict[str, object]:
    return {
        "tn": _number(number),
        "title": "A ticket",
        "queue_id": 2,
        "ticket_lock_id": 1,
        "type_id": 1,
        "user_id": user_id,
        "responsible_user_id": 1,
        "ticket_priority_id": 3,
        "ticket_state_id": 4,
        "timeout": 0,
        "until_time": 0,
        "escalation_time": 0,
        "escalation_update_time": 0,
        "escalation_response_time": 0,
        "escalation_solution_time": 0,
    }


def _stamps(user_id: int, moment: datetime) -> dict[str, object]:
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    return {"create_time": text, "create_by": user_id, "change_time": text, "change_by": user_id}


def _for_each(
    of: Table, table: Table, same: Mapping[str, object], copied: Mapping[str, Any], where: Any
) -> Any:
    """A row of a table for each row of another: some columns are the same, some are copied."""
    given = {name: literal(value, table.c[name].type) for name, value in same.items()}
    columns = {**copied, **given}
    found = select(*columns.values()).select_from(of).where(where).order_by(of.c.id)
    return insert(table).from_select(list(columns), found)


def _lines(type_: str, name: Any, stamps: Mapping[str, object], where: Any) -> Any:
    """A history line for each ticket."""
    same = {**_LINE, "history_type_id": _TYPE_IDS[type_], **stamps}
    copied = {"name": name, "ticket_id": schema.ticket.c.id}
    return _for_each(schema.ticket, schema.ticket_history, same, copied, where)


def _parts(ids: Sequence[int], size: int = 5000) -> Iterable[Sequence[int]]:
    return (ids[at : at + size] for at in range(0, len(ids), size))
