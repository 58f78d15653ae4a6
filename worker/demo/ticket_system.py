"""A small ticket system that writes its tables as OTOBO 11 does, for the demo and the tests.

Every statement is committed by itself and nothing is locked, just as in OTOBO (spec 1.4, 1.5
and 3.2). ``set_value`` is its ValueSet; the three steps of it can be taken one by one, so that a
test can stand between them. It never touches a real ticket system.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import yaml
from sqlalchemy import Engine, Executable, create_engine, delete, func, insert, select, update

from mapping import fields as kinds
from mapping.model import DynamicField, Labels, ValueRow
from worker.tickets import schema
from worker.tickets.history import field_update, utc_now

ROOT = 1
WORKER = 2
AGENT = 3
WORKER_LOGIN = "fieldfare"
LONG_AGO = "2024-01-01 00:00:00"

HISTORY_TYPES = {
    1: "NewTicket",
    2: "FollowUp",
    8: "SendAnswer",
    11: "EmailAgent",
    12: "EmailCustomer",
    13: "PhoneCallAgent",
    14: "PhoneCallCustomer",
    15: "AddNote",
    16: "Move",
    21: "CustomerUpdate",
    22: "PriorityUpdate",
    23: "OwnerUpdate",
    25: "Misc",
    27: "StateUpdate",
    28: "TicketDynamicFieldUpdate",
    29: "WebRequestCustomer",
}
"""Some of the history types of a fresh OTOBO, with the ids they have there."""

QUEUES = {1: "Postmaster", 2: "Raw", 3: "Junk", 4: "Misc"}
STATE_TYPES = {
    1: "new",
    2: "open",
    3: "closed",
    4: "pending reminder",
    5: "pending auto",
    6: "removed",
    7: "merged",
}
STATES = {
    1: ("new", 1),
    2: ("closed successful", 3),
    3: ("closed unsuccessful", 3),
    4: ("open", 2),
    5: ("removed", 6),
    6: ("pending reminder", 4),
    7: ("pending auto close+", 5),
    8: ("pending auto close-", 5),
    9: ("merged", 7),
}
"""Queues, and states with their type, of a fresh OTOBO."""

_TYPE_IDS = {name: id_ for id_, name in HISTORY_TYPES.items()}
_STAMPS = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}


def seed(engine: Engine) -> None:
    """The rows that every ticket system has, and three agents: root, the worker, Ada."""
    people = {ROOT: ("root@localhost", "-", "-"), WORKER: (WORKER_LOGIN, "Field", "Fare")}
    people[AGENT] = ("ada", "Ada", "Lovelace")
    with engine.begin() as connection:
        connection.execute(
            insert(schema.valid),
            [
                {"id": 1, "name": "valid", **_STAMPS},
                {"id": 2, "name": "invalid", **_STAMPS},
                {"id": 3, "name": "invalid-temporarily", **_STAMPS},
            ],
        )
        connection.execute(
            insert(schema.queue), [{"id": id_, "name": name} for id_, name in QUEUES.items()]
        )
        connection.execute(
            insert(schema.ticket_state_type),
            [{"id": id_, "name": name} for id_, name in STATE_TYPES.items()],
        )
        connection.execute(
            insert(schema.ticket_state),
            [{"id": id_, "name": name, "type_id": kind} for id_, (name, kind) in STATES.items()],
        )
        connection.execute(
            insert(schema.ticket_history_type),
            [
                {"id": id_, "name": name, "valid_id": 1, **_STAMPS}
                for id_, name in HISTORY_TYPES.items()
            ],
        )
        connection.execute(
            insert(schema.users),
            [
                {
                    "id": id_,
                    "login": login,
                    "pw": "",
                    "first_name": first,
                    "last_name": last,
                    "valid_id": 1,
                    **_STAMPS,
                }
                for id_, (login, first, last) in people.items()
            ],
        )
        connection.execute(
            insert(schema.user_preferences),
            [
                {
                    "user_id": AGENT,
                    "preferences_key": "UserEmail",
                    "preferences_value": "ada@example.com",
                },
                {"user_id": AGENT, "preferences_key": "UserLanguage", "preferences_value": "de"},
            ],
        )


class Otobo:
    """The ticket system, at work in a database that ``seed`` has filled."""

    def __init__(self, url: str, clock: Callable[[], datetime] = utc_now) -> None:
        self.engine = create_engine(url, isolation_level="AUTOCOMMIT")
        self._clock = clock

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()

    def _do(self, statement: Executable) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(statement)

    def _insert(self, table: Any, **values: object) -> int:
        id_: int = self._do(insert(table).values(values)).inserted_primary_key[0]
        return id_

    def _now(self) -> str:
        return self._clock().strftime("%Y-%m-%d %H:%M:%S")

    # -- definitions and people

    def add_field(  # noqa: PLR0913 - a definition has these parts
        self,
        name: str,
        field_type: str = "Text",
        config: Mapping[str, object] | str | None = None,
        *,
        object_type: str = "Ticket",
        valid_id: int = 1,
        internal: bool = False,
    ) -> int:
        """A dynamic field; ``config`` is written as YAML unless it is a text already."""
        text = config if isinstance(config, str) else yaml.safe_dump(dict(config or {}))
        return self._insert(
            schema.dynamic_field,
            name=name,
            label=name,
            field_order=1,
            field_type=field_type,
            object_type=object_type,
            internal_field=int(internal),
            config=text,
            valid_id=valid_id,
            **_STAMPS,
        )

    def add_fields(self, names: Iterable[str]) -> dict[str, int]:
        """Text fields; returns their ids by name."""
        return {name: self.add_field(name) for name in names}

    def change_field(self, field_id: int, **values: object) -> None:
        """The administrator edits a definition, which stamps its row."""
        field = schema.dynamic_field
        stamped = {"change_time": self._now(), **values}
        self._do(update(field).where(field.c.id == field_id).values(stamped))

    def field_id(self, name: str) -> int:
        """The id of a field."""
        field = schema.dynamic_field.c
        id_: int = self._do(select(field.id).where(field.name == name)).scalar_one()
        return id_

    def field(self, name: str) -> DynamicField:
        """The definition of a field."""
        row = self._do(
            select(schema.dynamic_field).where(schema.dynamic_field.c.name == name)
        ).one()
        config = yaml.safe_load(row.config or "") or {}
        return DynamicField(row.id, row.name, row.field_type, row.object_type, config=config)

    # -- tickets

    def create_ticket(
        self,
        customer_user: str | None = None,
        customer_id: str | None = None,
        *,
        user_id: int = ROOT,
        tn: str | None = None,
    ) -> int:
        """TicketCreate: the ticket, its NewTicket line, and TicketCustomerSet when asked for.

        A customer user or customer id ``0`` counts as none (observed rule 2). The ticket's number
        ``tn`` is the next one unless it is given.
        """
        now = self._now()
        stamps = {"create_time": now, "create_by": user_id, "change_time": now}
        if tn is None:
            last = self._do(select(func.max(schema.ticket.c.id))).scalar()
            tn = f"2026{(last or 0) + 1:012d}"
        id_ = self._insert(
            schema.ticket,
            tn=tn,
            title="A ticket",
            queue_id=2,
            ticket_lock_id=1,
            type_id=1,
            user_id=user_id,
            responsible_user_id=1,
            ticket_priority_id=3,
            ticket_state_id=4,
            timeout=0,
            until_time=0,
            escalation_time=0,
            escalation_update_time=0,
            escalation_response_time=0,
            escalation_solution_time=0,
            change_by=user_id,
            **stamps,
        )
        self.add_line(id_, "NewTicket", f"%%{tn}%%Raw%%3 normal%%new%%{id_}", user_id=user_id)
        told = ["" if part in {None, "0"} else part for part in (customer_user, customer_id)]
        if any(told):
            self.set_customer(id_, *told, user_id=user_id)
        return id_

    def set_customer(
        self,
        ticket_id: int,
        customer_user: str | None = None,
        customer_id: str | None = None,
        *,
        user_id: int = ROOT,
    ) -> int:
        """TicketCustomerSet; returns the id of the CustomerUpdate line."""
        given = {"customer_id": customer_id, "customer_user_id": customer_user}
        told = ""
        for column, mark in (("customer_id", "CustomerID"), ("customer_user_id", "CustomerUser")):
            if given[column] is not None:
                self.update_ticket(ticket_id, user_id=user_id, **{column: given[column]})
                told += f"{mark}={given[column]};"
        return self.add_line(ticket_id, "CustomerUpdate", f"%%{told}", user_id=user_id)

    def update_ticket(self, ticket_id: int, *, user_id: int = ROOT, **values: object) -> None:
        """Set columns of a ticket, which stamps its row."""
        stamped = {"change_time": self._now(), "change_by": user_id, **values}
        self._do(update(schema.ticket).where(schema.ticket.c.id == ticket_id).values(stamped))

    def delete_ticket(self, ticket_id: int) -> None:
        """TicketDelete, as far as these tables go."""
        value, line, article = (
            schema.dynamic_field_value,
            schema.ticket_history,
            schema.article,
        )
        self._do(delete(value).where(value.c.object_id == ticket_id))
        self._do(delete(line).where(line.c.ticket_id == ticket_id))
        self._do(delete(article).where(article.c.ticket_id == ticket_id))
        self._do(delete(schema.ticket).where(schema.ticket.c.id == ticket_id))

    def add_article(
        self, ticket_id: int, history_type: str = "PhoneCallCustomer", *, user_id: int = ROOT
    ) -> int:
        """An article and its line; returns the article's id."""
        now = self._now()
        id_ = self._insert(
            schema.article,
            ticket_id=ticket_id,
            article_sender_type_id=3,
            communication_channel_id=2,
            is_visible_for_customer=1,
            create_time=now,
            create_by=user_id,
            change_time=now,
            change_by=user_id,
        )
        self.add_line(ticket_id, history_type, "%%", user_id=user_id, article_id=id_)
        return id_

    def add_line(  # noqa: PLR0913 - so has a line
        self,
        ticket_id: int,
        type_: str,
        name: str,
        *,
        user_id: int = ROOT,
        article_id: int | None = None,
        time: str | None = None,
    ) -> int:
        """HistoryAdd; returns the line's id."""
        moment = time or self._now()
        return self._insert(
            schema.ticket_history,
            name=name[:200],
            history_type_id=_TYPE_IDS[type_],
            ticket_id=ticket_id,
            article_id=article_id,
            type_id=1,
            queue_id=2,
            owner_id=user_id,
            priority_id=3,
            state_id=4,
            create_time=moment,
            create_by=user_id,
            change_time=moment,
            change_by=user_id,
        )

    # -- values

    def set_value(
        self, ticket_id: int, field: str, *texts: str, user_id: int = AGENT, old: str = ""
    ) -> None:
        """ValueSet of a text field by a screen, and what follows it."""
        self.delete_value(ticket_id, field)
        for text in texts:
            self.insert_value(ticket_id, field, value_text=text)
        self.update_ticket(ticket_id, user_id=user_id)
        self.add_update_line(ticket_id, field, ", ".join(texts), old, user_id=user_id)

    def submit(
        self,
        ticket_id: int,
        field: str,
        texts: Sequence[str],
        *,
        user_id: int = AGENT,
        labels: Labels | None = None,
    ) -> bool:
        """ValueSet of a field of any type; nothing happens where the value is there already.

        Returns:
            Whether the field's type takes the value.
        """
        definition = self.field(field)
        value = kinds.accept(definition, [text for text in texts if text])
        if value is None:
            return False
        rows = self.rows(ticket_id, field)
        current = kinds.read(definition, rows)
        if not kinds.holds(definition, rows, value):
            self.delete_value(ticket_id, field)
            if kinds.is_overlong(definition, texts):
                return False  # the old value is gone all the same (observed rule 10)
            for row in kinds.rows_for(definition, value, existing=bool(rows)):
                columns: dict[str, object] = {
                    "value_text": row.value_text,
                    "value_date": row.value_date,
                    "value_int": row.value_int,
                    "index_value": row.index_value,
                }
                given = {name: item for name, item in columns.items() if item is not None}
                self.insert_value(ticket_id, field, **given)
            self.update_ticket(ticket_id, user_id=user_id)
            new, old = (kinds.readable(definition, one, labels or {}) for one in (value, current))
            self.add_update_line(ticket_id, field, new, old, user_id=user_id)
        return True

    def rows(self, ticket_id: int, field: str) -> list[ValueRow]:
        """A field's rows, in the order of their ids."""
        value = schema.dynamic_field_value.c
        found = self._do(
            select(value.value_text, value.value_date, value.value_int, value.index_value)
            .where(value.object_id == ticket_id, value.field_id == self.field_id(field))
            .order_by(value.id)
        )
        return [ValueRow(*row) for row in found]

    def delete_value(self, ticket_id: int, field: str) -> int:
        """The first step of ValueSet; returns how many rows it deleted."""
        value = schema.dynamic_field_value
        deleted: int = self._do(
            delete(value)
            .where(value.c.field_id == self.field_id(field))
            .where(value.c.object_id == ticket_id)
        ).rowcount
        return deleted

    def insert_value(self, ticket_id: int, field: str, **values: object) -> int:
        """The second step of ValueSet, once for each row; returns the row's id."""
        field_id = self.field_id(field)
        # Columns that are not named must not be: OTOBO 10 lacks two of them.
        return self._insert(
            schema.dynamic_field_value, field_id=field_id, object_id=ticket_id, **values
        )

    def add_update_line(
        self, ticket_id: int, field: str, new: str, old: str = "", *, user_id: int = AGENT
    ) -> int:
        """The last step of ValueSet."""
        text = field_update(field, new, old)
        return self.add_line(ticket_id, "TicketDynamicFieldUpdate", text, user_id=user_id)

    # -- what stands there

    def values(self, ticket_id: int) -> dict[str, list[object]]:
        """The stored values by field name, in the order of their rows; NULLs are None."""
        value, field = schema.dynamic_field_value.c, schema.dynamic_field.c
        rows = self._do(
            select(field.name, value.value_text, value.value_date, value.value_int)
            .select_from(
                schema.dynamic_field_value.join(schema.dynamic_field, value.field_id == field.id)
            )
            .where(value.object_id == ticket_id)
            .order_by(value.id)
        )
        found: dict[str, list[object]] = {}
        for name, text, date, number in rows:
            stored = [part for part in (text, date, number) if part is not None]
            found.setdefault(name, []).append(stored[0] if stored else None)
        return found

    def history(self, ticket_id: int) -> list[tuple[str, str, int]]:
        """Type, text and author of a ticket's lines, in the order of their ids."""
        line = schema.ticket_history.c
        rows = self._do(
            select(line.history_type_id, line.name, line.create_by)
            .where(line.ticket_id == ticket_id)
            .order_by(line.id)
        )
        return [(HISTORY_TYPES[type_], name, by) for type_, name, by in rows]

    def ticket(self, ticket_id: int) -> Any:
        """The ticket's row."""
        return self._do(select(schema.ticket).where(schema.ticket.c.id == ticket_id)).one()

    def lines(self, ticket_id: int, user_id: int) -> Sequence[str]:
        """Texts of the lines by one user."""
        return [name for _, name, by in self.history(ticket_id) if by == user_id]
