"""Tickets follow a customer user who gets another login, on every kind of database."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, select, update

from mapping.model import HistoryType
from tests.otobo import AGENT, ROOT, WORKER, WORKER_LOGIN, Otobo
from worker.tickets import moving, repeating, schema
from worker.tickets.engine import ticket_engine
from worker.tickets.history import HistoryLog
from worker.tickets.moving import TicketMoves
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def otobo(ticket_database: str) -> Iterator[Otobo]:
    system = Otobo(ticket_database)
    yield system
    system.close()


Moves = Callable[..., Iterator[Sequence[int]]]


@pytest.fixture
def moves(ticket_database: str) -> Iterator[Moves]:
    """Moves tickets, two with each transaction."""
    engine = ticket_engine(ticket_database, lock_timeout=0.05)
    engine.connect().close()  # SQLite cannot be opened while somebody writes

    def run(
        login: str, new: str, *, exact: bool = True, worker_user: str = WORKER_LOGIN
    ) -> Iterator[Sequence[int]]:
        mover = TicketMoves(engine, worker_user=worker_user, batch_size=2, now=lambda: NOON)
        return mover.move(login, new, exact=exact)

    yield run
    engine.dispose()


def ids_of(parts: Iterable[Sequence[int]]) -> list[int]:
    return [id_ for ids in parts for id_ in ids]


def logins(otobo: Otobo) -> dict[int, str | None]:
    ticket = schema.ticket.c
    with otobo.engine.connect() as connection:
        rows = connection.execute(select(ticket.id, ticket.customer_user_id).order_by(ticket.id))
        return {row.id: row.customer_user_id for row in rows}


def newest_line(otobo: Otobo, ticket_id: int) -> tuple[object, ...]:
    line, type_ = schema.ticket_history.c, schema.ticket_history_type.c
    with otobo.engine.connect() as connection:
        row = connection.execute(
            select(type_.name, line.name, line.create_by, line.create_time, line.owner_id)
            .where(line.ticket_id == ticket_id, type_.id == line.history_type_id)
            .order_by(line.id.desc())
            .limit(1)
        ).one()
    return tuple(row)


def test_tickets_get_the_new_login_and_the_line_that_otobo_writes(
    otobo: Otobo, moves: Moves
) -> None:
    mine = [otobo.create_ticket("jdoe", "acme", user_id=AGENT) for _ in range(5)]
    others = [otobo.create_ticket(login) for login in ("jdoe2", None, "bob")]

    moved = list(moves("jdoe", "jane"))

    assert moved == [mine[:2], mine[2:4], mine[4:]]
    assert logins(otobo) == dict.fromkeys(mine, "jane") | dict(
        zip(others, ["jdoe2", None, "bob"], strict=True)
    )
    assert newest_line(otobo, mine[0]) == (
        "CustomerUpdate",
        "%%CustomerUser=jane;",
        WORKER,
        "2026-11-22 12:00:00",
        AGENT,
    )
    assert newest_line(otobo, others[0])[2] == ROOT
    ticket = schema.ticket.c
    with otobo.engine.connect() as connection:
        row = connection.execute(
            select(ticket.customer_id, ticket.change_time, ticket.change_by).where(
                ticket.id == mine[0]
            )
        ).one()
    assert tuple(row) == ("acme", "2026-11-22 12:00:00", WORKER)


def test_moving_again_moves_the_rest_and_then_nothing(otobo: Otobo, moves: Moves) -> None:
    tickets = [otobo.create_ticket("jdoe") for _ in range(5)]
    cut_off = moves("jdoe", "jane")
    first = [*next(cut_off)]

    again = ids_of(moves("jdoe", "jane"))

    assert first + again == tickets
    assert [*moves("jdoe", "jane")] == []


def test_capital_letters_count_where_the_source_compares_them(otobo: Otobo, moves: Moves) -> None:
    small, capital, blank, accent = (
        otobo.create_ticket(login) for login in ("jdoe", "JDoe", "jdoe ", "jdöe")
    )

    exactly = ids_of(moves("jdoe", "a"))
    folded = ids_of(moves("jdoe", "b", exact=False))

    assert (exactly, folded) == ([small], [capital])
    assert logins(otobo) == {small: "a", capital: "b", blank: "jdoe ", accent: "jdöe"}


def test_a_login_that_changes_its_capitals_only_leaves_the_new_spelling_alone(
    otobo: Otobo, moves: Moves
) -> None:
    old, new = otobo.create_ticket("jdoe"), otobo.create_ticket("JDoe")

    moved = ids_of(moves("jdoe", "JDoe", exact=False))

    assert moved == [old]
    assert logins(otobo) == {old: "JDoe", new: "JDoe"}


def test_all_tickets_are_looked_through_part_by_part(
    otobo: Otobo, moves: Moves, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [otobo.create_ticket(login) for login in ("jdoe", "JDOE", "bob", "Jdoe", "jdoe")]
    monkeypatch.setattr(moving, "WINDOW", 2)
    monkeypatch.setattr(moving, "PORTION", 1)

    moved = list(moves("jdoe", "jane", exact=False))

    assert moved == [[one] for one in tickets if one != tickets[2]]


def test_a_ticket_that_got_another_customer_user_meanwhile_is_left_alone(
    otobo: Otobo, moves: Moves
) -> None:
    tickets = [otobo.create_ticket("jdoe") for _ in range(4)]
    going = moves("jdoe", "jane")
    next(going)
    otobo.set_customer(tickets[2], "bob")
    otobo.delete_ticket(tickets[3])

    assert [*going] == []
    assert logins(otobo) == dict(zip(tickets[:3], ["jane", "jane", "bob"], strict=True))


def test_a_long_login_leaves_a_line_that_is_cut(otobo: Otobo, moves: Moves) -> None:
    ticket = otobo.create_ticket("jdoe")
    long = "x" * 191

    assert [*moves("jdoe", long)] == [[ticket]]
    assert logins(otobo) == {ticket: long}
    assert newest_line(otobo, ticket)[1] == f"%%CustomerUser={long};"[:200]


def test_the_sweep_takes_a_moved_ticket_up(
    otobo: Otobo, moves: Moves, ticket_database: str
) -> None:
    """A line of the worker's user is no answer when all it does is to rename."""
    ticket = otobo.create_ticket("jdoe")
    engine = ticket_engine(ticket_database)
    log = HistoryLog(engine, worker_user=WORKER_LOGIN)

    moved = ids_of(moves("jdoe", "jane"))
    lines = log.read_window("2026-01-01 00:00:00", 0, 10)
    otobo.add_line(ticket, "TicketDynamicFieldUpdate", "%%FieldName%%F", user_id=WORKER)
    answered = log.read_window("2026-01-01 00:00:00", 0, 10)
    engine.dispose()

    assert moved == [ticket]
    assert (lines[-1].type, lines[-1].create_by) == (HistoryType.CUSTOMER_UPDATE, WORKER)
    assert lines[-1].answered_id == 0
    assert answered[-1].answered_id > lines[-1].id


@pytest.fixture
def screen(otobo: Otobo) -> Iterator[Connection]:
    """A screen's transaction."""
    engine = otobo.engine.execution_options(isolation_level="READ COMMITTED")
    if engine.dialect.name == "sqlite":
        engine = otobo.engine.execution_options(isolation_level="SERIALIZABLE")
    with engine.connect() as connection:
        yield connection


def hold(screen: Connection, ticket_id: int) -> None:
    screen.execute(update(schema.ticket).where(schema.ticket.c.id == ticket_id).values(title="x"))


def test_a_screen_that_holds_a_ticket_is_waited_for(
    otobo: Otobo, moves: Moves, screen: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [otobo.create_ticket("jdoe") for _ in range(2)]
    hold(screen, tickets[1])
    monkeypatch.setattr(repeating.time, "sleep", lambda _seconds: screen.commit())

    assert ids_of(moves("jdoe", "jane")) == tickets


def test_a_ticket_that_is_held_for_too_long_stays_for_the_next_time(
    otobo: Otobo, moves: Moves, screen: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [otobo.create_ticket("jdoe") for _ in range(4)]
    going = moves("jdoe", "jane")
    first = next(going)
    hold(screen, tickets[3])
    monkeypatch.setattr(repeating, "REPEATS", 0)

    with pytest.raises(TicketDatabaseUnavailable):
        next(going)
    screen.rollback()

    assert [*first, *ids_of(moves("jdoe", "jane"))] == tickets


def test_a_database_that_is_away_says_so(otobo: Otobo, moves: Moves) -> None:
    otobo.create_ticket("jdoe")
    with otobo.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE ticket RENAME TO elsewhere")

    for exact in (True, False):
        with pytest.raises(TicketDatabaseUnavailable):
            [*moves("jdoe", "jane", exact=exact)]


def test_an_agent_that_is_not_there_moves_nothing(otobo: Otobo, moves: Moves) -> None:
    ticket = otobo.create_ticket("jdoe")

    with pytest.raises(TicketDatabaseMisfit):
        [*moves("jdoe", "jane", worker_user="nobody")]

    assert logins(otobo) == {ticket: "jdoe"}
