"""Writes what the demo's servers begin with: people.ldif and ticket-system.sql.

    python examples/deploy/demo/generate.py

The tables are those of ``worker.tickets.schema``, people and tickets those of ``fieldfare demo``,
and the rights of Fieldfare's user those of docs/how-to/deploy.md.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, Table, create_engine, insert, literal_column, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from worker.demo import sample, story
from worker.demo.ticket_system import Otobo, seed
from worker.tickets import schema

FOLDER = Path(__file__).parent
GRANTS = FOLDER.parents[2] / "docs/how-to/deploy.md"

TODAY = datetime(2026, 1, 1, tzinfo=UTC)
"""Stands for the moment at which the database is made: the sweep looks back a week."""

NOW = literal_column("LOCALTIMESTAMP(0)")

HEAD = """\
-- A sample ticket system for PostgreSQL: tables as OTOBO 11 has them, and a few tickets of today.
-- Written by generate.py; docker-compose's profile demo plays it into an empty database.

"""
# What psql reads between the backticks is a file of docker-compose's, not a password.
USER = r"""
-- Fieldfare's user, with the rights of docs/how-to/deploy.md
\set password `cat /run/secrets/tickets__password`
CREATE ROLE fieldfare LOGIN PASSWORD :'password';
"""


def files() -> Mapping[str, str]:
    """Contents by path below this folder."""
    return {
        "ldap/people.ldif": sample.ldif(),
        "ticket-system.sql": HEAD + "\n".join(_statements()) + "\n" + USER + _grants(),
    }


def _statements() -> Iterator[str]:
    engine = _played()
    everything = MetaData()
    everything.reflect(engine, only=["contacts"])
    tables = [*schema.metadata.sorted_tables, everything.tables["contacts"]]
    with engine.connect() as connection:
        for table in tables:
            yield _sql(CreateTable(table)).strip() + ";"
            yield from (
                _sql(CreateIndex(index)) + ";" for index in sorted(table.indexes, key=_name)
            )
            for row in connection.execute(select(table)).mappings():
                yield _sql(insert(table).values(_today(row))) + ";"
            yield from _counted(table)
    engine.dispose()


def _played() -> Engine:
    """The sample ticket system in memory, with what happens in ``fieldfare demo``."""
    # One connection is one database in memory; everybody here shares it.
    engine = create_engine("sqlite://", poolclass=StaticPool)
    schema.create_all(engine)
    seed(engine)
    otobo = Otobo("sqlite://", clock=lambda: TODAY)
    otobo.engine = engine.execution_options(isolation_level="AUTOCOMMIT")
    sample.add_fields(otobo)
    story.play(otobo, lambda _: None)
    sample.make_crm(engine)
    return engine


def _today(row: Mapping[str, Any]) -> dict[str, Any]:
    today = TODAY.strftime("%Y-%m-%d %H:%M:%S")
    return {
        name: NOW if value == today else value for name, value in row.items() if value is not None
    }


def _counted(table: Table) -> Iterator[str]:
    """The sequence behind an id goes on after the rows that are there."""
    column = table.autoincrement_column
    if column is not None:
        sequence = f"pg_get_serial_sequence('{table.name}', '{column.name}')"
        following = f"coalesce(max({column.name}), 0) + 1"
        yield f"SELECT setval({sequence}, {following}, false) FROM {table.name};"  # noqa: S608


def _grants() -> str:
    (block,) = re.findall(
        r"^```sql\n(CREATE ROLE .*?)^```$", GRANTS.read_text(), re.DOTALL | re.MULTILINE
    )
    rights = [line for line in block.splitlines() if not line.startswith("CREATE ROLE")]
    return "\n".join([*rights, "GRANT SELECT ON contacts TO fieldfare;", ""])


def _sql(statement: Any) -> str:
    dialect = postgresql.dialect(paramstyle="named")
    text = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def _name(index: Any) -> str:
    return str(index.name)


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
