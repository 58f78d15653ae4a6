"""What changed since a moment: told by tables of three databases, and by slapd."""

import pytest

from directory.changes import ChangingSource
from directory.errors import SourceUnavailable
from tests.contract.ldap_source import LdapDirectory
from tests.contract.sql_source import SqlDirectory
from tests.servers import SlapdServer


def stamped(directory: SqlDirectory, **moments: str) -> None:
    """Customer users, and the moments when they were changed last."""
    kind = "TIMESTAMP" if directory.url.startswith("postgresql") else "DATETIME"
    directory.execute(f"ALTER TABLE people ADD changed {kind} NULL")
    for login, moment in moments.items():
        directory.add_person(login, "A", "B", "a@example.com", "x")
        if moment:
            directory.execute(f"UPDATE people SET changed = '{moment}' WHERE login = '{login}'")


def test_a_table_tells_who_was_changed_at_a_moment_or_later(sql_directory: SqlDirectory) -> None:
    stamped(
        sql_directory,
        old="2026-01-01 10:00:00",
        then="2026-01-02 10:00:00",
        later="2026-01-03 10:00:00",
        never="",
    )
    source = sql_directory.source(watch="changed")

    begun = source.changes("")
    told = source.changes("2026-01-02 10:00:00")

    assert begun.stamps == {}
    assert begun.newest.startswith("2026-01-03 10:00:00")
    assert sorted(told.stamps) == ["later", "then"]
    assert told.newest == begun.newest == told.stamps["later"]
    assert list(source.changes(told.newest).stamps) == ["later"]


def test_an_empty_table_begins_with_nothing(sql_directory: SqlDirectory) -> None:
    stamped(sql_directory)
    source = sql_directory.source(watch="changed")

    assert source.changes("").newest == ""
    assert source.changes("2026-01-02 10:00:00").newest == "2026-01-02 10:00:00"


def test_a_table_whose_moments_are_numbers_is_asked_as_well(sql_directory: SqlDirectory) -> None:
    sql_directory.execute("ALTER TABLE people ADD changed BIGINT NULL")
    for number, login in enumerate(("old", "new"), 9):
        sql_directory.add_person(login, "A", "B", "a@example.com", "x")
        sql_directory.execute(f"UPDATE people SET changed = {number} WHERE login = '{login}'")
    source = sql_directory.source(watch="changed")

    assert source.changes("").newest == "10"
    assert source.changes("10").stamps == {"new": "10"}
    assert sorted(source.changes("9").stamps) == ["new", "old"], "9 is less than 10"


def test_a_table_without_the_column_does_not_answer(sql_directory: SqlDirectory) -> None:
    with pytest.raises(SourceUnavailable):
        sql_directory.source(watch="changed").changes("")


def test_a_database_that_is_away_does_not_answer(sql_directory: SqlDirectory) -> None:
    stamped(sql_directory)
    source = sql_directory.source(watch="changed")
    sql_directory.stop()

    with pytest.raises(SourceUnavailable):
        source.changes("")


@pytest.fixture
def ldap_directory(slapd: SlapdServer) -> LdapDirectory:
    return LdapDirectory(slapd)


def test_a_server_tells_whose_entries_were_changed(ldap_directory: LdapDirectory) -> None:
    ldap_directory.add_person("anna", "A", "B", "a@example.com", "x")
    ldap_directory.add_person("bert", "A", "B", "b@example.com", "x")
    source = ldap_directory.source(watch="modifyTimestamp")

    begun = source.changes("")
    told = source.changes(begun.newest)
    none = source.changes("29991231235959Z")

    assert begun.stamps == {}
    assert sorted(told.stamps) == ["anna", "bert"]
    assert told.newest == max(told.stamps.values()) > begun.newest
    assert (none.stamps, none.newest) == ({}, "29991231235959Z")
    assert sorted(source.changes(told.newest).stamps) == sorted(
        login for login, stamp in told.stamps.items() if stamp == told.newest
    )
    ldap_directory.close()


def test_a_server_that_hides_some_does_not_answer(ldap_directory: LdapDirectory) -> None:
    for number in range(4):
        ldap_directory.add_person(f"user{number}", "A", "B", "a@example.com", "x")
    source = ldap_directory.source(watch="modifyTimestamp", base_dn="ou=nowhere,dc=example,dc=com")

    with pytest.raises(SourceUnavailable, match="noSuchObject"):
        source.changes("20260101000000Z")
    ldap_directory.close()


def test_who_was_not_told_what_to_watch_cannot_tell(
    sql_directory: SqlDirectory, ldap_directory: LdapDirectory
) -> None:
    for source in (sql_directory.source(), ldap_directory.source()):
        assert isinstance(source, ChangingSource)
        with pytest.raises(SourceUnavailable, match="set watch"):
            source.changes("")
    ldap_directory.close()
