"""The ticket system's own administration of customer users, as far as cases need it.

These are OTOBO's writes, not Fieldfare's: a case of the ticket's fields may begin with a customer
user whose data somebody changed. A changed login or customer id makes OTOBO set the customer of
the tickets that had the old ones (observed rule 5).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import ColumnClause, column, delete, insert, select, update

from tests.conformance.recordings import Json
from tests.otobo import LONG_AGO
from worker.tickets import schema

if TYPE_CHECKING:
    from tests.conformance.player import Player

_STAMPS = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}
_NEEDED = ("ID", "UserLogin", "UserID")


def update_customer_user(player: "Player", args: Json) -> None:
    """CustomerUserUpdate: omitted optional columns become empty (observed rule 60)."""
    if not all(args.get(name) for name in _NEEDED):
        return
    block = _block(player, args["ID"])
    if block is None:
        return
    table, old = _row(player, block, args["ID"])
    if old is None:
        return
    values = _values(block, args)
    key: ColumnClause[str] = column(block["CustomerKey"])
    with _engine(player, block).connect() as connection:
        connection.execute(update(table).where(key == old.login).values(values))
    new_login, new_id = values[block["CustomerKey"]], values[block["CustomerID"]]
    if new_login != old.login:
        _rename_preferences(player, old.login, new_login)
    if (new_login, new_id) != (old.login, old.customer_id):
        tickets = schema.ticket.c
        with player.world.otobo.engine.connect() as connection:
            ids = connection.scalars(
                select(tickets.id)
                .where(
                    tickets.customer_user_id == old.login,
                    tickets.customer_id == old.customer_id,
                )
                .order_by(tickets.id)
            ).all()
        for ticket_id in ids:
            player.set_customer(ticket_id, new_login, new_id, args["UserID"])


def add_customer_user(player: "Player", args: Json) -> None:
    """CustomerUserAdd into a database source."""
    slot = str(args.get("Source") or "CustomerUser").removeprefix("CustomerUser")
    block = _blocks(player).get(slot)
    if block is None or not block["Module"].endswith("::DB"):
        return
    values = _values(block, args)
    if not block.get("Params", {}).get("ForeignDB"):
        values |= _STAMPS
    table = sqlalchemy.table(_table(block), *map(column, values))
    with _engine(player, block).connect() as connection:
        connection.execute(insert(table).values(values))


def add_member(player: "Player", args: Json) -> None:
    """CustomerUserCustomerMemberAdd: a customer user belongs to a further customer, or not."""
    login, customer_id = args.get("CustomerUserID"), args.get("CustomerID")
    if not login or not customer_id or not args.get("UserID"):
        return
    relation = schema.customer_user_customer
    with player.world.otobo.engine.connect() as connection:
        connection.execute(
            delete(relation).where(
                relation.c.user_id == login, relation.c.customer_id == customer_id
            )
        )
        if args.get("Active"):
            values = {"user_id": login, "customer_id": customer_id, **_STAMPS}
            connection.execute(insert(relation).values(values))


WRITES: Mapping[str, Callable[["Player", Json], None]] = {
    "CustomerUserUpdate": update_customer_user,
    "CustomerUserAdd": add_customer_user,
    "CustomerUserCustomerMemberAdd": add_member,
}


def _blocks(player: "Player") -> Mapping[str, Json]:
    """The sources' blocks by slot, in the order of the case."""
    blocks = player.case.source_configs
    named = ((source["slot"], source["config"]) for source in player.case.config["sources"])
    return {slot: blocks[name] if isinstance(name, str) else name for slot, name in named}


def _block(player: "Player", login: str) -> Json | None:
    """The first database source that knows a login."""
    for slot, block in sorted(_blocks(player).items(), key=lambda item: int(item[0] or 0)):
        del slot
        if block["Module"].endswith("::DB") and _row(player, block, login)[1] is not None:
            return block
    return None


def _row(player: "Player", block: Json, login: str) -> tuple[Any, Any]:
    """A source's table, and the login and customer id of a row."""
    key: ColumnClause[str] = column(block["CustomerKey"])
    customer_id: ColumnClause[str] = column(block["CustomerID"])
    table = sqlalchemy.table(_table(block), *map(column, _written(block).values()))
    with _engine(player, block).connect() as connection:
        statement = select(key.label("login"), customer_id.label("customer_id"))
        row = connection.execute(
            statement.select_from(table).where(sqlalchemy.func.lower(key) == login.lower())
        ).first()
    return table, row


def _written(block: Json) -> Mapping[str, str]:
    """Columns by variable, without dynamic fields, passwords and what is read-only."""
    return {
        row[0]: row[2]
        for row in block["Map"]
        if row[5] != "dynamic_field" and row[0] != "UserPassword" and not (row[7:] or [0])[0]
    }


def _values(block: Json, args: Json) -> dict[str, Any]:
    """What OTOBO writes into a row: an omitted variable empties its column."""
    numbers = {row[2] for row in block["Map"] if row[5] == "int"}
    texts = {
        storage: str(args.get(variable) or "") for variable, storage in _written(block).items()
    }
    return {name: int(text or 1) if name in numbers else text for name, text in texts.items()}


def _table(block: Json) -> str:
    return str(block["Params"]["Table"])


def _engine(player: "Player", block: Json) -> sqlalchemy.Engine:
    external = bool(block["Params"].get("DSN"))
    return player.world.external if external else player.world.otobo.engine


def _rename_preferences(player: "Player", old: str, new: str) -> None:
    preferences = schema.customer_preferences
    with player.world.otobo.engine.connect() as connection:
        connection.execute(
            update(preferences).where(preferences.c.user_id == old).values(user_id=new)
        )
