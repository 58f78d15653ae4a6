"""What may be written about a customer user, by their source's Map."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.config import SqlSourceConfig
from directory.map_values import MOST_CHOICES
from directory.write_rules import Place, Verdict, check_add, check_update, customer_users_of

MAP = [
    ["UserTitle", "Title or salutation", "title", 1, 0, "var", "", 0],
    ["UserFirstname", "Firstname", "first_name", 1, 1, "var", "", 0],
    ["UserLogin", "Username", "login", 1, 1, "var", "", 0],
    ["UserPassword", "Password", "pw", 0, 0, "var", "", 0],
    ["UserEmail", "Email", "email", 1, 1, "var", "", 0],
    ["UserCustomerID", "CustomerID", "customer_id", 0, 1, "var", "", 0],
    ["UserCountry", "Country", "country", 1, 0, "var", "", 0],
    ["UserPhone", "Phone", "phone", 1, 0, "var", "", 1],
    ["UserRoom", "Room", "room", 1, 0, "int", "", 0],
    ["DynamicField_Tags", "Tags", "Tags", 1, 1, "dynamic_field", "", 0],
    ["DynamicField_Key", "Key", "Key", 1, 0, "dynamic_field", "", 1],
    ["ValidID", "Valid", "valid_id", 0, 1, "int", "", 0],
]

LENGTHS = {"title": 5, "first_name": 10, "login": 20, "pw": 128, "email": 150}

COUNTRIES = {"": "-", "de": "Germany", "at": "Austria", "fr": "fr"}

JANE: dict[str, Any] = {
    "UserFirstname": "Jane",
    "UserLogin": "jdoe",
    "UserEmail": "jdoe@cust.test",
    "UserCustomerID": "acme",
    "ValidID": "1",
}

STORED: dict[str, Any] = {**JANE, "UserTitle": "Dr.", "UserPhone": "1", "UserRoom": "12"}


def place(rows: list[list[object]] | None = None, **settings: object) -> Place:
    config = SqlSourceConfig.model_validate(
        {
            "slot": "1",
            "table": "customer_user",
            "customer_key": "login",
            "customer_id": "customer_id",
            "map": MAP if rows is None else rows,
            "selections": {"UserCountry": COUNTRIES},
            **settings,
        }
    )
    return customer_users_of(config, LENGTHS)


PLACE = place()


def refusals(verdict: Verdict) -> list[tuple[str, str]]:
    return [(refusal.error, refusal.field) for refusal in verdict.refusals]


def said(verdict: Verdict) -> str:
    (refusal,) = verdict.refusals
    assert refusal.source == "CustomerUser1"
    return refusal.message


# -- adding


def test_a_new_customer_user_is_written_with_every_column_as_by_otobo() -> None:
    verdict = check_add(PLACE, {**JANE, "UserPassword": "secret", "DynamicField_Tags": ["a", "b"]})

    assert verdict.refusals == ()
    assert verdict.columns == {
        "title": "",
        "first_name": "Jane",
        "login": "jdoe",
        "email": "jdoe@cust.test",
        "customer_id": "acme",
        "country": "",
        "phone": "",
        "room": 0,
        "valid_id": 1,
    }
    assert verdict.fields == {"Tags": ("a", "b")}
    assert verdict.password == "secret"
    assert verdict.variables == (
        "UserFirstname",
        "UserLogin",
        "UserPassword",
        "UserEmail",
        "UserCustomerID",
        "DynamicField_Tags",
        "ValidID",
    )


def test_no_value_shows_in_a_repr() -> None:
    verdict = check_add(PLACE, {**JANE, "UserPassword": "secret"})

    assert not {"Jane", "secret", "jdoe"} & set(repr(verdict).replace("'", " ").split())


@pytest.mark.parametrize("name", JANE)
@pytest.mark.parametrize("value", ["", None])
def test_each_required_field_must_have_a_value(name: str, value: str | None) -> None:
    values = {key: text for key, text in {**JANE, name: value}.items() if text is not None}

    verdict = check_add(PLACE, values)

    assert refusals(verdict) == [("required", name)]
    assert "must have a value; give" in said(verdict)


def test_all_refusals_come_at_once_in_the_order_of_the_map() -> None:
    verdict = check_add(
        PLACE,
        {
            "UserColour": "red",
            "ValidID": "perhaps",
            "UserRoom": "twelve",
            "UserEmail": "nomail",
            "UserTitle": "Doctor",
            "UserCountry": "xx",
            "UserPassword": "x" * 73,
        },
    )

    assert refusals(verdict) == [
        ("too_long", "UserTitle"),
        ("required", "UserFirstname"),
        ("required", "UserLogin"),
        ("too_long", "UserPassword"),
        ("wrong_email", "UserEmail"),
        ("required", "UserCustomerID"),
        ("not_a_choice", "UserCountry"),
        ("not_a_number", "UserRoom"),
        ("not_a_choice", "ValidID"),
        ("unknown_field", "UserColour"),
    ]
    assert (verdict.columns, verdict.fields, verdict.password) == ({}, {}, "")


def test_a_zero_is_a_value_but_no_login() -> None:
    assert check_add(PLACE, {**JANE, "UserFirstname": "0"}).columns["first_name"] == "0"

    verdict = check_add(PLACE, {**JANE, "UserLogin": "0"})

    assert refusals(verdict) == [("required", "UserLogin")]
    assert 'cannot be "0"' in said(verdict)


def test_what_is_marked_readonly_is_written_when_somebody_is_added() -> None:
    assert check_add(PLACE, {**JANE, "UserPhone": "9"}).columns["phone"] == "9"


@pytest.mark.parametrize(
    ("given_", "stored"),
    [("valid", 1), ("invalid", 2), ("invalid-temporarily", 3), ("2", 2), (3, 3)],
)
def test_validity_is_given_by_name_or_id(given_: object, stored: int) -> None:
    assert check_add(PLACE, {**JANE, "ValidID": given_}).columns["valid_id"] == stored


def test_who_is_added_without_a_required_validity_is_valid() -> None:
    rows = [row if row[0] != "ValidID" else [*row[:4], 0, *row[5:]] for row in MAP]
    values = {name: value for name, value in JANE.items() if name != "ValidID"}

    assert check_add(place(rows), values).columns["valid_id"] == 1
    assert refusals(check_add(place(rows), {**values, "UserEmail": "nomail"})) == [
        ("wrong_email", "UserEmail")
    ]


def test_a_source_can_have_words_of_its_own_for_validity() -> None:
    rows = [row if row[0] != "ValidID" else [*row[:5], "var"] for row in MAP]
    own = place(rows, selections={"ValidID": {"yes": "active", "no": "gone"}})

    assert check_add(own, {**JANE, "ValidID": "no"}).columns["valid_id"] == "no"
    assert "yes (active), no (gone)" in said(check_add(own, {**JANE, "ValidID": "valid"}))


def test_a_map_without_the_login_still_gets_it_written() -> None:
    rows = [row for row in MAP if row[0] != "UserLogin"]
    without = {name: value for name, value in JANE.items() if name != "UserLogin"}

    assert check_add(place(rows), JANE).columns["login"] == "jdoe"
    assert refusals(check_add(place(rows), without)) == [("required", "UserLogin")]


# -- single values


@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        ("UserTitle", "123456", "too_long", "(Title or salutation) holds 5 characters"),
        ("UserTitle", "a\0b", "not_valid_utf8", "leave them out"),
        ("UserTitle", "a\ud83d", "not_valid_utf8", "leave them out"),
        ("UserTitle", None, "wrong_arguments", 'takes a text; give "" to empty it'),
        ("UserTitle", True, "wrong_arguments", "takes a text"),
        ("UserTitle", ["Dr."], "wrong_arguments", "takes a text"),
        ("DynamicField_Tags", ["a", None], "wrong_arguments", "takes a list of texts"),
        ("DynamicField_Tags", ["a", "\0"], "not_valid_utf8", "Tags"),
        ("UserRoom", "1.5", "not_a_number", "holds whole numbers"),
        ("UserRoom", "9" * 19, "not_a_number", "holds whole numbers"),
        ("UserRoom", "٣", "not_a_number", "holds whole numbers"),
        ("UserCountry", "Germany", "not_a_choice", "is one of de (Germany), at (Austria), fr"),
        ("ValidID", "4", "not_a_choice", "1 (valid), 2 (invalid), 3 (invalid-temporarily)"),
        ("ValidID", "", "required", "give valid or invalid"),
        ("UserEmail", "nomail", "wrong_email", "give one like jane@example.org"),
        ("UserPassword", "a\0b", "not_valid_utf8", "NUL"),
        ("UserFirstnam", "x", "unknown_field", "did you mean UserFirstname?"),
        ("Colour", "x", "unknown_field", "has no field Colour; it has DynamicField_Key"),
    ],
)
def test_what_a_field_does_not_take_is_refused_with_what_to_do(
    name: str, value: object, error: str, says: str
) -> None:
    verdict = check_add(PLACE, {**JANE, name: value})

    assert refusals(verdict) == [(error, name)]
    assert says in said(verdict)
    assert refusals(check_update(PLACE, {name: value}, STORED)) == [(error, name)]


@pytest.mark.parametrize(
    ("name", "value", "column", "stored"),
    [
        ("UserTitle", "Dr.\t ", "title", "Dr.\t "),
        ("UserTitle", "日本日本日", "title", "日本日本日"),
        ("UserTitle", 12, "title", "12"),
        ("UserRoom", "007", "room", 7),
        ("UserRoom", -3, "room", -3),
        ("UserRoom", "", "room", 0),
        ("UserCountry", "at", "country", "at"),
        ("UserCountry", "", "country", ""),
    ],
)
def test_what_a_field_takes_is_stored_as_it_is(
    name: str, value: object, column: str, stored: object
) -> None:
    assert check_add(PLACE, {**JANE, name: value}).columns[column] == stored


def test_a_message_lists_no_more_choices_than_can_be_read() -> None:
    many = place(selections={"UserCountry": {str(key): str(key) for key in range(50)}})

    assert said(check_add(many, {**JANE, "UserCountry": "x"})).endswith(
        f"{MOST_CHOICES - 1} and 30 more"
    )


def test_empty_items_of_a_list_are_no_values() -> None:
    assert check_add(PLACE, {**JANE, "DynamicField_Tags": ["", "a"]}).fields == {"Tags": ("a",)}
    assert check_add(PLACE, {**JANE, "DynamicField_Tags": ""}).fields == {"Tags": ()}


# -- passwords


def test_a_source_without_a_column_for_passwords_takes_none() -> None:
    rows = [row for row in MAP if row[0] != "UserPassword"]

    assert refusals(check_add(place(rows), {**JANE, "UserPassword": "x"})) == [
        ("no_password_column", "UserPassword")
    ]
    assert check_add(place(rows), {**JANE, "UserPassword": ""}).refusals == ()


def test_an_empty_password_is_none() -> None:
    assert check_add(PLACE, {**JANE, "UserPassword": ""}).password == ""
    assert check_update(PLACE, {"UserPassword": ""}, STORED).variables == ()


def test_a_password_is_required_of_new_customer_users_only() -> None:
    rows = [row if row[0] != "UserPassword" else [*row[:4], 1] for row in MAP]

    assert refusals(check_add(place(rows), JANE)) == [("required", "UserPassword")]
    assert check_update(place(rows), {**JANE}, STORED, replace=True).refusals == ()


def test_a_column_too_narrow_for_the_stored_form_is_told() -> None:
    config = place(password_form="sha512")
    narrow = Place(config.source, config.entries, lengths={"pw": 64}, password_form="sha512")

    message = said(check_add(narrow, {**JANE, "UserPassword": "secret"}))

    assert "column pw of 64 characters, and the form sha512 takes 128" in message


# -- email


@pytest.mark.parametrize("valid_id", ["2", "invalid-temporarily"])
def test_the_address_of_somebody_invalid_is_not_checked(valid_id: str) -> None:
    values = {**JANE, "UserEmail": "nomail", "ValidID": valid_id}

    assert check_add(PLACE, values).refusals == ()
    assert check_update(PLACE, values, STORED).refusals == ()
    assert check_update(PLACE, {"UserEmail": "no"}, {**STORED, "ValidID": "2"}).refusals == ()


def test_no_address_is_checked_where_the_source_says_so() -> None:
    assert check_add(place(email_check="none"), {**JANE, "UserEmail": "nomail"}).refusals == ()


def test_everybody_is_valid_where_nobody_can_be_invalid() -> None:
    rows = [row for row in MAP if row[0] != "ValidID"]
    values = {name: value for name, value in JANE.items() if name != "ValidID"}

    assert refusals(check_add(place(rows), {**values, "UserEmail": "nomail"})) == [
        ("wrong_email", "UserEmail")
    ]


def test_an_address_that_stays_is_not_checked_again() -> None:
    stored = {**STORED, "UserEmail": "Jane"}

    assert check_update(PLACE, {"UserEmail": "JANE", "UserTitle": ""}, stored).refusals == ()
    assert check_update(PLACE, {"ValidID": "valid"}, {**stored, "ValidID": "2"}).refusals == ()
    assert refusals(check_update(PLACE, {"UserEmail": "Jan"}, stored)) == [
        ("wrong_email", "UserEmail")
    ]


# -- changing


def test_an_update_writes_what_is_given_and_differs() -> None:
    verdict = check_update(
        PLACE,
        {"UserTitle": "Prof.", "UserFirstname": "Jane", "UserRoom": "012", "UserCountry": ""},
        STORED,
    )

    assert verdict.columns == {"title": "Prof."}
    assert verdict.variables == ("UserTitle",)


def test_an_update_that_changes_nothing_writes_nothing() -> None:
    stored = {**STORED, "DynamicField_Tags": ("a", "b")}

    verdict = check_update(PLACE, {**JANE, "DynamicField_Tags": ["a", "b"]}, stored)

    assert verdict == Verdict()


def test_a_field_of_one_text_is_equal_to_a_list_of_one() -> None:
    stored = {**STORED, "DynamicField_Tags": "a"}

    assert check_update(PLACE, {"DynamicField_Tags": ["a"]}, stored).fields == {}
    assert check_update(PLACE, {"DynamicField_Tags": "b"}, stored).fields == {"Tags": ("b",)}


def test_a_required_field_cannot_be_emptied() -> None:
    assert refusals(check_update(PLACE, {"UserFirstname": ""}, STORED)) == [
        ("required", "UserFirstname")
    ]


def test_a_readonly_field_keeps_its_value() -> None:
    verdict = check_update(PLACE, {"UserPhone": "999", "DynamicField_Key": "x"}, STORED)

    assert refusals(verdict) == [
        ("read_only_field", "UserPhone"),
        ("read_only_field", "DynamicField_Key"),
    ]
    assert "marked readonly" in verdict.refusals[0].message


def test_a_readonly_field_can_be_given_as_it_is() -> None:
    verdict = check_update(PLACE, {"UserPhone": "1", "UserTitle": "x"}, STORED)

    assert verdict.columns == {"title": "x"}


# -- replacing, as OTOBO's screen


def test_replacing_empties_what_is_not_given_and_leaves_what_is_readonly() -> None:
    stored = {**STORED, "DynamicField_Tags": "a", "DynamicField_Key": "k", "UserCountry": "de"}

    verdict = check_update(PLACE, {**JANE, "UserPhone": "999"}, stored, replace=True)

    assert verdict.columns == {"title": "", "country": "", "room": 0}
    assert verdict.fields == {"Tags": ()}
    assert verdict.password == ""
    assert verdict.variables == ("UserTitle", "UserCountry", "UserRoom", "DynamicField_Tags")


@pytest.mark.parametrize("name", JANE)
def test_replacing_needs_every_required_field(name: str) -> None:
    values = {key: value for key, value in JANE.items() if key != name}

    verdict = check_update(PLACE, values, STORED, replace=True)

    assert refusals(verdict) == [("required", name)]
    assert "writes every field" in said(verdict)


def test_replacing_leaves_a_validity_alone_that_need_not_be_given() -> None:
    rows = [row if row[0] != "ValidID" else [*row[:4], 0, *row[5:]] for row in MAP]
    values = {name: value for name, value in JANE.items() if name != "ValidID"}

    verdict = check_update(place(rows), values, {**STORED, "ValidID": "2"}, replace=True)

    assert "valid_id" not in verdict.columns


# -- two variables in one column


TWINS = place(
    [
        ["UserLogin", "", "login", 1, 1, "var"],
        ["UserEmail", "", "email", 1, 0, "var"],
        ["UserCustomerID", "", "email", 1, 0, "var"],
    ]
)


def test_two_variables_of_one_column_must_agree() -> None:
    values = {"UserLogin": "j", "UserEmail": "a@b.de", "UserCustomerID": "c@b.de"}

    assert "one column with UserEmail" in said(check_add(TWINS, values))
    assert refusals(check_update(TWINS, values, values)) == [("wrong_arguments", "UserCustomerID")]


@pytest.mark.parametrize("name", ["UserEmail", "UserCustomerID"])
def test_one_variable_of_a_column_is_enough(name: str) -> None:
    values = {"UserLogin": "j", name: "a@b.de"}
    stored = {"UserLogin": "j", "UserEmail": "x@b.de", "UserCustomerID": "x@b.de"}

    assert check_add(TWINS, values).columns == {"login": "j", "email": "a@b.de"}
    assert check_update(TWINS, values, stored, replace=True).columns == {"email": "a@b.de"}


# -- properties


NAMES = st.sampled_from([row[0] for row in MAP])
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "0", "1", "2", "valid", "de", "jane@example.org", "\0", "\ud800"]),
)
ANYTHING = st.dictionaries(
    st.one_of(NAMES, st.text(max_size=8)),
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.lists(TEXTS, max_size=3)),
)


def as_stored(verdict: Verdict) -> Mapping[str, Any]:
    """What a source would answer after the verdict was carried out on an empty table."""
    by_storage = {**verdict.columns, **verdict.fields}
    found = {str(row[0]): by_storage.get(str(row[2])) for row in MAP if row[0] != "UserPassword"}
    return {
        name: value if isinstance(value, tuple) else str(value)
        for name, value in found.items()
        if value not in (None, "", ())
    }


@given(ANYTHING, st.booleans())
def test_whatever_is_given_there_is_a_verdict(values: dict[str, Any], replace: bool) -> None:
    for verdict in (
        check_add(PLACE, values),
        check_update(PLACE, values, STORED, replace=replace),
    ):
        if verdict.refusals:
            assert verdict == Verdict(refusals=verdict.refusals)
            assert len({refusal.field for refusal in verdict.refusals}) == len(verdict.refusals)
        for text in (*verdict.columns.values(), *(t for ts in verdict.fields.values() for t in ts)):
            str(text).encode()
            assert "\0" not in str(text)
        for column, value in verdict.columns.items():
            assert len(str(value)) <= LENGTHS.get(column, 1000)
        assert verdict.columns.get("login") not in {"", "0"}


@given(
    st.fixed_dictionaries(
        {name: st.just(value) for name, value in JANE.items()},
        optional={
            "UserTitle": st.text(
                st.characters(exclude_categories=["Cs"], min_codepoint=1), max_size=5
            ),
            "UserRoom": st.integers(-(10**17), 10**17),
            "UserCountry": st.sampled_from(["", *COUNTRIES]),
            "DynamicField_Tags": st.lists(st.sampled_from("abc"), max_size=3),
        },
    )
)
def test_what_was_written_is_not_written_again(values: dict[str, Any]) -> None:
    added = check_add(PLACE, values)
    stored = as_stored(added)

    assert added.refusals == ()
    assert check_update(PLACE, values, stored) == Verdict()
    assert check_update(PLACE, values, stored, replace=True) == Verdict()


@given(NAMES, st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=30))
def test_no_refusal_repeats_a_value(name: str, secret: str) -> None:
    verdict = check_update(PLACE, {name: f"«{secret}»\0"}, STORED)

    for refusal in verdict.refusals:
        assert f"«{secret}»" not in refusal.message
