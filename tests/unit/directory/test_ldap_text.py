import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.ldap_text import attribute_value, escaped, matched, prepared

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"jdoe", "jdoe"),
        (b"jane.doe@example.com", "jane.doe@example.com"),
        (b"a*b", r"a\2ab"),
        (b"p(1)", r"p\281\29"),
        (b"\\", r"\5c"),
        (b"a\0b", r"a\00b"),
        (b" a ", r"\20a\20"),
        ("ü".encode(), r"\c3\bc"),
        ("ü".encode("latin-1"), r"\fc"),
        (b"", ""),
    ],
)
def test_every_octet_that_could_mean_something_in_a_filter_is_escaped(
    value: bytes, expected: str
) -> None:
    assert escaped(value) == expected


@given(st.binary())
def test_an_escaped_value_reads_back_as_the_same_octets(value: bytes) -> None:
    text = escaped(value)

    assert not set(text) & set("*()\0 ")
    assert bytes.fromhex("".join(_hex(text))) == value


def _hex(text: str) -> list[str]:
    first, *rest = text.split("\\")
    return [first.encode().hex(), *(part[:2] + part[2:].encode().hex() for part in rest)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("JDOE", "jdoe"),
        ("ÜBER", "über"),
        ("  a   b ", "A B"),
        ("\u0391\u03a3", "\u03b1\u03c3"),
        ("u\u0308ber", "über"),
        ("a\u00a0b", "a b"),
        ("ﬁx", "FIX"),
        ("straße", "strasse"),
        ("anna", "an\u00adna"),
        ("tab x", "tab\tx"),
        ("zw", "\u200bzw"),
    ],
)
def test_logins_that_a_server_may_compare_as_equal_are_equal_when_prepared(
    one: str, other: str
) -> None:
    assert prepared(one) == prepared(other)


@pytest.mark.parametrize(("one", "other"), [("ab", "a b"), ("muller", "müller"), ("a", "a*")])
def test_different_logins_are_different_when_prepared(one: str, other: str) -> None:
    assert prepared(one) != prepared(other)


@given(TEXTS)
def test_a_prepared_text_keeps_no_blank_at_its_ends_and_no_two_in_a_row(text: str) -> None:
    assert prepared(text) == prepared(text).strip(" ")
    assert "  " not in prepared(text)


def test_dotted_capital_i_is_not_a_plain_i_though_openldap_takes_it_for_one() -> None:
    assert prepared("İx") == prepared("i\u0307x")
    assert prepared("İx") != prepared("ix")


@pytest.mark.parametrize(
    ("values", "charset", "expected"),
    [
        ([], "utf-8", None),
        ([b""], "utf-8", None),
        ([b"0"], "utf-8", "0"),
        ([b" a "], "utf-8", " a "),
        ([b"Zed", b"Amy"], "utf-8", ("Zed", "Amy")),
        ([b"Zed", b""], "utf-8", "Zed"),
        (["Jürgen".encode()], "utf-8", "Jürgen"),
        (["Jürgen".encode("latin-1")], "iso-8859-1", "Jürgen"),
        ([b"\xff\xd8"], "utf-8", b"\xff\xd8"),
        ([b"a\0b"], "utf-8", b"a\0b"),
        ([b"a\0b"], "iso-8859-1", b"a\0b"),
        ([b"text", b"\xff"], "utf-8", b"\xff"),
    ],
)
def test_values_become_a_text_several_texts_octets_or_nothing(
    values: list[bytes], charset: str, expected: object
) -> None:
    assert attribute_value(values, charset) == expected


def test_an_entry_belongs_to_the_one_login_that_it_fits() -> None:
    first, shared = matched(["jdoe", "Anna"], [["anna"], ["JDOE"]])

    assert first == {"Anna": 0, "jdoe": 1}
    assert shared == set()


def test_of_several_entries_the_first_counts() -> None:
    assert matched(["a"], [["a"], ["A"]])[0] == {"a": 0}


def test_logins_that_share_an_entry_are_left_to_the_server() -> None:
    first, shared = matched(["aaa", "bbb", "ccc"], [["aaa", "bbb"], ["aaa"], ["ccc"]])

    assert first == {"ccc": 2}
    assert shared == {"aaa", "bbb"}


def test_an_entry_that_fits_no_login_belongs_to_nobody() -> None:
    assert matched(["müller"], [["muller"], []]) == ({}, set())


@given(st.lists(TEXTS, unique=True), st.lists(st.lists(TEXTS)))
def test_no_entry_is_given_to_a_login_that_its_key_does_not_fit(
    logins: list[str], keys: list[list[str]]
) -> None:
    first, shared = matched(logins, keys)

    assert not first.keys() & shared
    for login, index in first.items():
        assert prepared(login) in {prepared(key) for key in keys[index]}
