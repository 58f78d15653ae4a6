"""A search term means the same to SQL, to LDAP and to the code that decides."""

import pytest

from directory.wildcards import ldap_assertion, like, matches, pattern


def test_a_term_stands_between_the_prefix_and_the_suffix_of_the_source() -> None:
    assert pattern(" jane ", "*", "*") == "*jane*"
    assert pattern("jane", "", "*") == "jane*"


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


@pytest.mark.parametrize(
    ("wanted", "text", "exact", "fits"),
    [
        ("*a*", "ACME", False, True),
        ("*a*", "ACME", True, False),
        ("a*", "beta", False, False),
        ("a.c", "abc", False, False),
        ("a*c", "a\nc", False, True),
        ("é*", "É1", False, True),
    ],
)
def test_what_fits_is_decided_letter_by_letter(
    wanted: str, text: str, exact: bool, fits: bool
) -> None:
    assert matches(wanted, text, exact=exact) is fits
