"""Which sources there are, and which can be written to."""

from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from directory.source_list import source_list

COMMON = {"customer_key": "login", "customer_id": "customer_id", "map": {}}


def database(slot: str, name: str = "", *, read_only: bool = False) -> SourceConfig:
    settings = {**COMMON, "slot": slot, "name": name, "read_only": read_only, "table": "t"}
    return SqlSourceConfig.model_validate(settings)


def ldap(slot: str, name: str, *, read_only: bool = False) -> SourceConfig:
    settings = {**COMMON, "slot": slot, "name": name, "read_only": read_only}
    return LdapSourceConfig.model_validate({**settings, "host": "ldap", "base_dn": "dc=x"})


SOURCES = [
    database("", "Database"),
    ldap("1", "Tree"),
    database("2"),
    database("3", "Archive", read_only=True),
    ldap("4", "Old tree", read_only=True),
]


def test_all_sources_are_listed_and_one_without_a_name_gets_its_number() -> None:
    assert source_list(SOURCES) == {
        "CustomerUser": "Database",
        "CustomerUser1": "Tree",
        "CustomerUser2": "No Name 2",
        "CustomerUser3": "Archive",
        "CustomerUser4": "Old tree",
    }


def test_only_databases_that_are_not_read_only_can_be_written_to() -> None:
    assert source_list(SOURCES, read_only=False) == {
        "CustomerUser": "Database",
        "CustomerUser2": "No Name 2",
    }


def test_of_read_only_sources_only_trees_are_listed() -> None:
    assert source_list(SOURCES, read_only=True) == {"CustomerUser4": "Old tree"}
