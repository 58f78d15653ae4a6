"""A search term means the same to SQL, to LDAP and to the code that decides."""

import pytest

from directory.config import SourceConfig
from directory.wildcards import fitting, ldap_assertion, like, pattern


def searched(prefix: str, suffix: str) -> SourceConfig:
    return SourceConfig.model_validate(
        {
            "kind": "sql",
            "customer_key": "login",
            "customer_id": "customer",
            "map": {},
            "customer_user_search_prefix": prefix,
            "customer_user_search_suffix": suffix,
        }
    )


def test_a_term_stands_between_the_prefix_and_the_suffix_of_the_source() -> None:
    assert pattern(" jane ", searched("*", "*")) == "*jane*"
    assert pattern("jane", searched("", "*")) == "jane*"


@pytest.mark.parametrize(
    ("wanted", "sql", "ldap"),
    [
        ("*acme*", "%acme%", "*acme*"),
        ("a**b", "a%b", "a*b"),
        ("100%_!", "100!%!_!!", r"100\25_\21"),
        ("x(y)", "x(y)", r"x\28y\29"),
        ("é", "é", r"\c3\a9"),
    ],
)
def test_only_the_asterisk_is_a_wildcard(wanted: str, sql: str, ldap: str) -> None:
    assert like(wanted) == sql
    assert ldap_assertion(wanted, "utf-8") == ldap


def test_a_term_finds_the_texts_that_fit_it_and_none_finds_all_there_are() -> None:
    texts = ["acme", "Acme", "beta", "beta", "", None]

    assert fitting(texts, "", searched("", "")) == {"acme", "Acme", "beta"}
    assert fitting(texts, "A*", searched("", "")) == {"acme", "Acme"}
    assert fitting(texts, "A", searched("", "*"), exact=True) == {"Acme"}
    assert fitting(texts, "m", searched("", "*")) == set()
