"""Who is an agent? The worker's own user, and the people that references to agents name."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select

from worker.tickets import schema
from worker.tickets.store import TicketDatabaseMisfit

ROOT = 1
"""The first agent of every installation, whom mail, cron and the generic agent write as."""

VALID = 1
"""``valid.id`` of what is in use."""


def worker_user_id(connection: Connection, worker_user: str | int) -> int:
    """The id of the agent that the worker writes as.

    Args:
        connection: to the ticket database.
        worker_user: login, or ``users.id``; a login made of digits is a login.

    Raises:
        TicketDatabaseMisfit: there is no such agent, it is not valid, or it is user 1, whose
            lines could not be told from those of the ticket system itself (design 1.4).
    """
    users = schema.users.c
    known = users.id == worker_user if isinstance(worker_user, int) else users.login == worker_user
    rows = connection.execute(select(users.id, users.login, users.valid_id).where(known)).all()
    # MariaDB's collations know no case and no trailing blanks.
    for row in rows:
        if isinstance(worker_user, int) or row.login == worker_user:
            if row.id == ROOT:
                raise TicketDatabaseMisfit(
                    "the worker must not write as agent 1, whom the ticket system itself uses; "
                    "create an agent of its own and name it in tickets.worker_user"
                )
            if row.valid_id != VALID:
                raise TicketDatabaseMisfit(
                    f"the agent {worker_user!r} is not valid; make it valid, or name another one "
                    "in tickets.worker_user"
                )
            found: int = row.id
            return found
    raise TicketDatabaseMisfit(
        f"the ticket system has no agent {worker_user!r}; create it (no group or role is needed) "
        "and name it in tickets.worker_user"
    )


def agent_labels(connection: Connection, ids: Collection[int]) -> Mapping[int, str]:
    """Agents as OTOBO shows them in history lines, ``"first last" <email>``, by user id.

    An agent without an address is shown with the login instead; unknown ids are missing.
    """
    user, preference = schema.users.c, schema.user_preferences.c
    joined = schema.users.outerjoin(
        schema.user_preferences,
        (preference.user_id == user.id) & (preference.preferences_key == "UserEmail"),
    )
    rows = connection.execute(
        select(user.id, user.first_name, user.last_name, user.login, preference.preferences_value)
        .select_from(joined)
        .where(user.id.in_(sorted(ids)))
    )
    return {
        row.id: f'"{row.first_name} {row.last_name}" <{row.preferences_value or row.login}>'
        for row in rows
    }
