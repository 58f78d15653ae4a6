"""Play all cases of a folder: once over PostgreSQL, and the ticket's side again over MariaDB."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from tests import servers
from tests.conformance import deviations
from tests.conformance.conduct import End, Verdict, conduct
from tests.conformance.recordings import Case, UnreadableCases, load
from tests.conformance.world import Servers, World

POSTGRESQL = "postgresql"
MARIADB = "mariadb"

TICKET_SIDE = frozenset(
    {"single_db", "mapping", "field_types", "history_truncation", "frontend_precedence"}
)
"""Topics in which the ticket system's database matters most."""


def run(
    folder: Path,
    running: Servers,
    mariadb: servers.MariadbServer | None = None,
    *,
    only: str = "",
) -> Mapping[str, list[Verdict]]:
    """Play the cases of a folder.

    Args:
        folder: with files of cases, and ``deviations.toml``.
        running: the servers, without MariaDB.
        mariadb: where the ticket's side is played again.
        only: ids or topics that begin so.

    Returns:
        Verdicts by the kind of the ticket system's database.

    Raises:
        UnreadableCases: there is nothing to play, or ``deviations.toml`` cannot be read.
    """
    cases = [case for case in load(folder) if f"{case.id}".startswith(only) or case.topic == only]
    if not cases:
        msg = f"no case begins with {only!r}"
        raise UnreadableCases(msg)
    verdicts = {POSTGRESQL: list(_played(folder, cases, running, complete=not only))}
    if mariadb is not None:
        again = [case for case in cases if case.topic in TICKET_SIDE]
        there = dataclasses.replace(running, mariadb=mariadb)
        verdicts[MARIADB] = list(_played(folder, again, there, complete=False))
    return verdicts


def _played(
    folder: Path, cases: list[Case], running: Servers, *, complete: bool
) -> Iterator[Verdict]:
    listed = deviations.load(folder)
    with closing(World(running)) as world:
        for case in cases:
            yield conduct(world, case, listed)
    if complete:
        for name in listed.unknown(case.id for case in cases):
            case = Case(name, deviations.FILE, "", {}, {}, {}, [])
            problems = listed.problems.get(name) or [f"{deviations.FILE} lists no case of here"]
            yield Verdict(case, End.FAILS, problems)
