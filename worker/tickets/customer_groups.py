"""Which groups does a customer user have access to, and through what? As OTOBO's widget shows it.

OTOBO gives access to a group to a login (``group_customer_user``), to all customer users of a
customer (``group_customer``), and to everybody (``CustomerGroupAlwaysGroups``). Nothing is written
here, and what the database takes for the same login or customer id, OTOBO takes for the same, too:
so the server compares.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, TableClause, column, inspect, select, table
from sqlalchemy.exc import DBAPIError

from worker.tickets import schema
from worker.tickets.engine import connected, for_reading
from worker.tickets.store import TicketDatabaseMisfit
from worker.tickets.sysconfig import SystemSetting, read_settings

SUPPORT = "CustomerGroupSupport"
ALWAYS = "CustomerGroupAlwaysGroups"
COMPANY_ALWAYS = "CustomerGroupCompanyAlwaysGroups"
SAME = "CustomerGroupPermissionContext###001-CustomerID-same"
OTHER = "CustomerGroupPermissionContext###100-CustomerID-other"
"""The settings of the ticket system that decide, by name."""

LOGIN = "login"
"""Where access comes from that was given to the customer user; see also ``from_customer``."""

_NEEDED = "groups_table (or permission_groups, groups), group_customer_user, group_customer, valid"
_DENIED = f"the database user may not read the groups; it needs SELECT on {_NEEDED}"


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """What the ticket system's configuration says about groups of customer users.

    Attributes:
        support: whether groups decide at all; if not, everybody has access to each of them.
        always: names of the groups that every customer user has access to.
        company_always: names of the groups that all customer users of any customer have access to.
        same: the context of access to the tickets of one's own customers.
        other: the context in which a group leads to other customers; empty if there is none.
    """

    support: bool = False
    always: tuple[str, ...] = ()
    company_always: tuple[str, ...] = ()
    same: str = "Ticket::CustomerID::Same"
    other: str = "Ticket::CustomerID::Other"


@dataclass(frozen=True, slots=True)
class GivenAccess:
    """A row of ``group_customer_user`` or ``group_customer`` that is in force.

    Attributes:
        holder: the login or the customer id.
        group_id: the group.
        key: ``ro``, ``rw``, or what else the ticket system knows.
        context: in which context; empty for a login.
    """

    holder: str
    group_id: int
    key: str
    context: str = ""

    @property
    def readable(self) -> bool:
        """Whether it lets one read; rw does so, too."""
        return self.key in {"ro", "rw"}


@dataclass(frozen=True, slots=True)
class GroupAccess:
    """What a customer user may do in a group.

    Attributes:
        group: its name.
        origins: through what: ``login``, ``customer acme``, or a setting's name; each once.
    """

    group: str
    ro: bool = False
    rw: bool = False
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Permissions:
    """All that a customer user has access to.

    Attributes:
        settings: by which it was decided; None if they cannot be read.
        groups: sorted by name.
        others: for each customer that a group leads to, the names of these groups.
    """

    settings: GroupSettings | None
    groups: tuple[GroupAccess, ...]
    others: Mapping[str, tuple[str, ...]]


class CustomerGroups:
    """Groups of customer users in the ticket system. Connects when first asked.

    Args:
        engine: from ``ticket_engine``.
        settings: taken instead of what the ticket system's configuration says.
    """

    def __init__(self, engine: Engine, settings: GroupSettings | None = None) -> None:
        self._engine = for_reading(engine)
        self._settings = settings
        self._table = ""

    def permissions(self, login: str, customer_ids: Sequence[str]) -> Permissions:
        """What a customer user has access to.

        Args:
            login: the login.
            customer_ids: of all customers that the customer user belongs to.

        Returns:
            Where the settings cannot be read, what would hold if groups decided and no group were
            everybody's.

        Raises:
            TicketDatabaseMisfit: the tables are not there, or may not be read.
            TicketDatabaseUnavailable: the database does not answer.
        """
        with connected(self._engine, denied=_DENIED) as connection:
            settings = self._settings or read_group_settings(connection)
            known = settings or GroupSettings(support=True)
            groups = _valid_groups(connection, self._group_table(connection))
            given = _given_to_login(connection, login)
            given_to_customers = _given_to_customers(connection, customer_ids)
            led_to = {one.group_id for one in given_to_customers if one.context == known.other}
            reachable = _customers_of(connection, led_to, known.same)
        return Permissions(
            settings,
            effective(known, groups, given, given_to_customers, customer_ids),
            others(known, groups, given_to_customers, reachable),
        )

    def _group_table(self, connection: Connection) -> str:
        if not self._table:
            tables = {*inspect(connection).get_table_names()}
            found = [name for name in schema.GROUP_TABLES if name in tables]
            if not found:
                raise TicketDatabaseMisfit(
                    f"the ticket database has none of the tables {', '.join(schema.GROUP_TABLES)} "
                    f"that the database user may read; it needs SELECT on {_NEEDED}"
                )
            self._table = found[0]
        return self._table


def read_group_settings(connection: Connection) -> GroupSettings | None:
    """What the ticket system's configuration says; None if its values may not be read.

    What stands in Kernel/Config.pm is not seen.
    """
    try:
        found = read_settings(connection, (SUPPORT, ALWAYS, COMPANY_ALWAYS, SAME, OTHER))
    except DBAPIError:
        # If it is the database that is away, the next statement says so.
        connection.rollback()
        return None
    support = found.get(SUPPORT)
    if support is None or (support.valid and support.value is None):
        return None
    return GroupSettings(
        support=support.valid and support.value not in {"", "0"},
        always=_names(found.get(ALWAYS)),
        company_always=_names(found.get(COMPANY_ALWAYS)),
        same=_context(found.get(SAME)),
        other=_context(found.get(OTHER)),
    )


def effective(
    settings: GroupSettings,
    groups: Mapping[int, str],
    given: Iterable[GivenAccess],
    given_to_customers: Iterable[GivenAccess],
    customer_ids: Collection[str],
) -> tuple[GroupAccess, ...]:
    """What a customer user may do in each group, sorted by name.

    Args:
        settings: what the ticket system's configuration says.
        groups: names of the valid groups by id.
        given: what was given to the login.
        given_to_customers: what was given to the customer user's customers, in any context.
        customer_ids: of the customer user's customers.
    """
    found: dict[str, GroupAccess] = {}
    for group_id, key, origin in _reasons(settings, groups, given, given_to_customers):
        _add(found, groups.get(group_id, ""), key, origin)
    everybodys = {ALWAYS: settings.always}
    if customer_ids:
        everybodys[COMPANY_ALWAYS] = settings.company_always
    valid = frozenset(groups.values())
    for name, always in everybodys.items():
        for group in always:
            _add(found, group if group in valid else "", "rw", name)
    return tuple(sorted(found.values(), key=lambda one: (one.group.lower(), one.group)))


def _reasons(
    settings: GroupSettings,
    groups: Mapping[int, str],
    given: Iterable[GivenAccess],
    given_to_customers: Iterable[GivenAccess],
) -> Iterator[tuple[int, str, str]]:
    """Group id, permission and origin of all that is given to somebody in particular."""
    if not settings.support:
        yield from ((group_id, "rw", f"{SUPPORT} is off") for group_id in groups)
        return
    yield from ((one.group_id, one.key, LOGIN) for one in given)
    for one in given_to_customers:
        if one.context == settings.same:
            yield one.group_id, one.key, from_customer(one.holder)


def _add(found: dict[str, GroupAccess], group: str, key: str, origin: str) -> None:
    """Note access to a valid group; rw lets one read, too."""
    if group and key in {"ro", "rw"}:
        had = found.get(group, GroupAccess(group))
        origins = tuple(dict.fromkeys([*had.origins, origin]))
        found[group] = GroupAccess(group, ro=True, rw=had.rw or key == "rw", origins=origins)


def others(
    settings: GroupSettings,
    groups: Mapping[int, str],
    given_to_customers: Iterable[GivenAccess],
    reachable: Iterable[GivenAccess],
) -> dict[str, tuple[str, ...]]:
    """The customers that groups lead to, with the names of these groups.

    Args:
        settings: what the ticket system's configuration says.
        groups: names of the valid groups by id.
        given_to_customers: what was given to the customer user's customers, in any context.
        reachable: what was given to any customer, in the context ``same``.
    """
    if not settings.support or not settings.other:
        return {}
    leading = {
        one.group_id
        for one in given_to_customers
        if one.context == settings.other and one.readable and one.group_id in groups
    }
    found: dict[str, list[str]] = {}
    for one in reachable:
        if one.group_id in leading and one.readable:
            found.setdefault(one.holder, []).append(groups[one.group_id])
    return {customer: tuple(sorted({*names})) for customer, names in sorted(found.items())}


def from_customer(customer_id: str) -> str:
    """Where access comes from that was given to a customer."""
    return f"customer {customer_id}"


def _valid_groups(connection: Connection, name: str) -> Mapping[int, str]:
    groups: TableClause = table(name, column("id"), column("name"), column("valid_id"))
    valid = select(schema.valid.c.id).where(schema.valid.c.name == "valid")
    rows = connection.execute(
        select(groups.c.id, groups.c.name).where(groups.c.valid_id.in_(valid))
    )
    return {int(id_): str(name) for id_, name in rows}


def _given_to_login(connection: Connection, login: str) -> Sequence[GivenAccess]:
    row = schema.group_customer_user.c
    rows = connection.execute(
        select(row.user_id, row.group_id, row.permission_key)
        .where(row.user_id == login, row.permission_value == 1)
        .order_by(row.group_id)
    )
    return [GivenAccess(*found) for found in rows]


def _given_to_customers(
    connection: Connection, customer_ids: Collection[str]
) -> Sequence[GivenAccess]:
    row = schema.group_customer.c
    wanted = row.customer_id.in_(sorted({*customer_ids}))
    return _customer_rows(connection, wanted) if customer_ids else ()


def _customers_of(
    connection: Connection, group_ids: Collection[int], context: str
) -> Sequence[GivenAccess]:
    row = schema.group_customer.c
    wanted = row.group_id.in_(sorted(group_ids)) & (row.permission_context == context)
    return _customer_rows(connection, wanted) if group_ids else ()


def _customer_rows(connection: Connection, wanted: Any) -> Sequence[GivenAccess]:
    row = schema.group_customer.c
    rows = connection.execute(
        select(row.customer_id, row.group_id, row.permission_key, row.permission_context)
        .where(wanted, row.permission_value == 1)
        .order_by(row.customer_id, row.group_id)
    )
    return [GivenAccess(*found) for found in rows]


def _names(setting: SystemSetting | None) -> tuple[str, ...]:
    if setting is None or not setting.valid or not isinstance(setting.value, list):
        return ()
    return tuple(name for name in setting.value if isinstance(name, str))


def _context(setting: SystemSetting | None) -> str:
    if setting is None or not setting.valid or not isinstance(setting.value, Mapping):
        return ""
    return str(setting.value.get("Value") or "")
