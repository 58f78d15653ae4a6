"""How long does an admin wait? Searches, lists, imports, each beside the bare query for the same.

Ours is the call as a command makes it, with all that it tells; the bare query is what somebody
would write who knows this one table or tree: psycopg or ldap3, and the rows as they come.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ldap3
import psycopg
from psycopg.rows import dict_row
from sqlalchemy import make_url

from benchmarks.world import (
    ATTRIBUTES,
    COLUMNS,
    VARIABLES,
    TicketSystem,
    ldap_source,
    sql_source,
)
from tests.otobo import LONG_AGO
from tests.servers import SlapdServer
from worker import bootstrap
from worker.calls import perform
from worker.handlers import searches
from worker.services import Services
from worker.settings import load

PEOPLE = 100_000
LISTED = 1_000
TIMES = 50
WORD = "user123"
"""What is searched for; of 100,000 logins 111 hold it."""

SEARCHED_COLUMNS = ("login", "first_name", "last_name", "customer_id")
SEARCHED_ATTRIBUTES = ("uid", "cn", "mail")
"""As OTOBO ships them."""

_STAMPS = ("create_time", "create_by", "change_time", "change_by")
_READ = ", ".join(("login", "email", "customer_id", *COLUMNS, *_STAMPS))
_VALID = "valid_id IN (SELECT id FROM valid WHERE name = 'valid')"
_FIND = (
    f"SELECT {_READ} FROM customer_user WHERE {_VALID} AND "
    f"({' OR '.join(f'LOWER({name}) LIKE %(word)s' for name in SEARCHED_COLUMNS)}) LIMIT 251"
)
_LIST = f"SELECT {_READ} FROM customer_user WHERE {_VALID} ORDER BY login LIMIT {LISTED}"

IMPORTED = 10_000
IMPORTED_VARIABLES = ("UserLogin", "UserEmail", "UserCustomerID", *VARIABLES)
PORTION = 500
IMPORTS = 3
_NEW = ("login", "email", "customer_id", *COLUMNS, "title", "valid_id", *_STAMPS)
_INSERT = f"INSERT INTO customer_user ({', '.join(_NEW)}) VALUES ({', '.join(['%s'] * len(_NEW))})"
_THERE = "SELECT login FROM customer_user WHERE LOWER(login) = ANY(%s)"
_TAKEN = "SELECT email FROM customer_user WHERE LOWER(email) = ANY(%s)"
_CUSTOMERS = f"SELECT customer_id FROM customer_company WHERE {_VALID} AND customer_id = ANY(%s)"

Answer = Callable[[], Sequence[object]]


def searched_table() -> Mapping[str, Any]:
    """The source that is searched in SQL."""
    options = {"search_fields": SEARCHED_COLUMNS, "search_prefix": "*"}
    return {**sql_source(), "case_sensitive": False, **_options(options)}


def writable_table() -> Mapping[str, Any]:
    """The source that customer users are imported into: with every look that OTOBO takes."""
    options = {"customer_user_email_uniq_check": True, "customer_company_support": True}
    source = {**sql_source(), "case_sensitive": False, **options}
    more = {"UserTitle": "title", "ValidID": {"storage": "valid_id", "storage_type": "int"}}
    return {**source, "map": {**source["map"], **more}}


def searched_tree(slapd: SlapdServer) -> Mapping[str, Any]:
    """The source that is searched in LDAP."""
    options = {"search_fields": SEARCHED_ATTRIBUTES, "search_prefix": "*"}
    return {**ldap_source(slapd, "people"), **_options(options)}


def _options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    return {f"customer_user_{name}": value for name, value in options.items()}


def _of(told: Mapping[str, Any]) -> Sequence[object]:
    """Those who were found."""
    found: Sequence[object] = told["customer_users"]
    return found


def sql(
    config: Path, system: TicketSystem, times: int
) -> Mapping[str, tuple[Sequence[float], Sequence[float]]]:
    """Milliseconds of a search and of a list in SQL, each with those of its bare query.

    Args:
        config: settings with ``searched_table``.
        system: the ticket database with the customer users.
        times: how often each is asked.
    """
    with ExitStack() as stack:
        services = stack.enter_context(_services(config))
        bare = stack.enter_context(
            psycopg.connect(_address(system), autocommit=True, row_factory=dict_row)
        )

        def ours_found() -> Sequence[object]:
            return _of(searches.find(services, term=WORD))

        def bare_found() -> Sequence[object]:
            return bare.execute(_FIND, {"word": f"%{WORD}%"}).fetchall()

        def ours_listed() -> Sequence[object]:
            return _of(searches.list_(services, limit=LISTED))

        def bare_listed() -> Sequence[object]:
            return bare.execute(_LIST).fetchall()

        return {
            "admin_search_sql": _in_turns(ours_found, bare_found, times),
            "admin_list": _in_turns(ours_listed, bare_listed, times),
        }


def imports(
    config: Path, system: TicketSystem, rows: int
) -> tuple[Sequence[float], Sequence[float]]:
    """Seconds of an import in portions, and those of psycopg for the same looks and rows.

    Args:
        config: settings with ``writable_table``.
        system: the ticket database.
        rows: how many customer users come in each time.
    """
    taken: tuple[list[float], list[float]] = ([], [])
    with (
        _services(config) as services,
        psycopg.connect(_address(system)) as bare,
    ):
        for repeat in range(IMPORTS):
            begin = time.perf_counter()
            for people in _portions(f"ours{repeat}-", rows):
                asked = {
                    "rows": [dict(zip(IMPORTED_VARIABLES, one, strict=True)) for one in people]
                }
                told = perform("customer_user.import", asked, "bench", services)
                assert all(row["outcome"] == "added" for row in told["rows"]), told
            taken[0].append(time.perf_counter() - begin)
            begin = time.perf_counter()
            for people in _portions(f"bare{repeat}-", rows):
                _imported(bare, people)
            taken[1].append(time.perf_counter() - begin)
    return taken


def _portions(prefix: str, rows: int) -> Iterator[Sequence[tuple[str, ...]]]:
    """Customer users who are not there yet, by ``IMPORTED_VARIABLES``."""
    for start in range(0, rows, PORTION):
        yield [
            (
                f"{prefix}{number}",
                f"{prefix}{number}@example.com",
                "ACME",
                *(f"{column}-{number}" for column in COLUMNS),
            )
            for number in range(start, min(start + PORTION, rows))
        ]


def _imported(connection: psycopg.Connection[Any], people: Sequence[tuple[str, ...]]) -> None:
    """A portion, as somebody would write it who knows this one table and trusts the values."""
    there = connection.execute(_THERE, ([login for login, *_ in people],)).fetchall()
    taken = connection.execute(_TAKEN, ([email for _, email, *_ in people],)).fetchall()
    known = connection.execute(_CUSTOMERS, (list({one[2] for one in people}),)).fetchall()
    assert not there
    assert not taken
    assert known
    rest = ("", 1, LONG_AGO, 1, LONG_AGO, 1)
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, [(*one, *rest) for one in people])
    connection.commit()


def _address(system: TicketSystem) -> str:
    url = make_url(system.url).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def ldap(config: Path, slapd: SlapdServer, times: int) -> tuple[Sequence[float], Sequence[float]]:
    """Milliseconds of a search in LDAP, and those of the bare one.

    Args:
        config: settings with ``searched_tree``.
        slapd: the server.
        times: how often each is asked.
    """
    looked_for = "".join(f"({name}=*{WORD}*)" for name in SEARCHED_ATTRIBUTES)
    server = ldap3.Server(slapd.uri, get_info=ldap3.NONE)
    bare = ldap3.Connection(server, client_strategy=ldap3.SAFE_SYNC, auto_bind=True)
    with _services(config) as services:

        def ours() -> Sequence[object]:
            return _of(searches.find(services, term=WORD))

        def straight() -> Sequence[object]:
            entries: Sequence[object]
            *_, entries, _ = bare.search(
                f"ou=people,{slapd.base_dn}",
                f"(|{looked_for})",
                attributes=["uid", "mail", "o", "cn", *ATTRIBUTES],
                size_limit=251,
            )
            return entries

        try:
            return _in_turns(ours, straight, times)
        finally:
            bare.unbind()


@contextmanager
def _services(config: Path) -> Iterator[Services]:
    services = bootstrap.build(load(config))
    try:
        yield services
    finally:
        services.directory.close()
        services.tickets.close()
        services.inbox.client.close()


def _in_turns(ours: Answer, bare: Answer, times: int) -> tuple[Sequence[float], Sequence[float]]:
    """Milliseconds of each; the first answers, which open connections, must be as long."""
    found, known = len(ours()), len(bare())
    assert found == known > 0, (found, known)
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for answer, milliseconds in zip((ours, bare), taken, strict=True):
            begin = time.perf_counter()
            answer()
            milliseconds.append((time.perf_counter() - begin) * 1000)
    return taken
