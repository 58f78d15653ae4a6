"""UserMailString and UserFullname, as a real OTOBO was seen to put them together."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.config import LdapSourceConfig, SqlSourceConfig
from directory.model import Attributes
from directory.names import Naming, full_name, listed_strings, mail_string

MAP = {
    "UserTitle": "title",
    "UserFirstname": "first_name",
    "UserLastname": "last_name",
    "UserLogin": "login",
    "UserEmail": "email",
    "UserCustomerID": "customer_id",
    "DynamicField_Nick": {"storage": "Nick", "storage_type": "dynamic_field"},
    "DynamicField_Tags": {"storage": "Tags", "storage_type": "dynamic_field"},
}


def config(**settings: object) -> SqlSourceConfig:
    return SqlSourceConfig.model_validate(
        {
            "table": "customer_user",
            "customer_key": "login",
            "customer_id": "customer_id",
            "map": MAP,
            **settings,
        }
    )


JANE = {
    "UserTitle": "Dr.",
    "UserFirstname": "Jane",
    "UserLastname": "Doe",
    "UserLogin": "jdoe",
    "UserEmail": "jdoe@cust.test",
    "UserCustomerID": "acme",
}


@pytest.mark.parametrize(
    ("case", "fields", "values", "text"),
    [
        ("keys-07", None, {}, '"Jane Doe" <jdoe@cust.test>'),
        ("keys-05", None, {"UserFirstname": "", "UserEmail": "x"}, "Doe x"),
        ("keys-05", None, {"UserEmail": ""}, "Jane Doe"),
        ("keys-06", ("login", "customer_id", "email"), {}, '"jdoe acme" <jdoe@cust.test>'),
        ("keys-08", ("first_name", "nosuch", "email"), {}, '"Jane" <jdoe@cust.test>'),
        ("cu_df-05", ("first_name", "Nick", "email"), {}, '"Jane" <jdoe@cust.test>'),
        ("ldap-28", ("cn", "email"), {}, "jdoe@cust.test"),
        ("no field", (), {}, ""),
    ],
)
def test_the_mail_string_is_the_list_fields_with_the_address_in_brackets(
    case: str, fields: tuple[str, ...] | None, values: dict[str, str], text: str
) -> None:
    source = config(customer_user_list_fields=fields)

    assert mail_string(Naming.of(source), {**JANE, "DynamicField_Nick": "Nicky", **values}) == text


@pytest.mark.parametrize(
    ("case", "settings", "values", "text"),
    [
        ("keys-07", {}, {}, "Jane Doe"),
        ("keys-05", {}, {"UserFirstname": ""}, "Doe"),
        (
            "keys-06",
            {
                "customer_user_name_fields": ("last_name", "first_name"),
                "customer_user_name_fields_join": ", ",
            },
            {},
            "Doe, Jane",
        ),
        (
            "cu_df-05",
            {"customer_user_name_fields": ("first_name", "Nick", "Tags")},
            {"DynamicField_Nick": "Nicky", "DynamicField_Tags": ("a", "b")},
            "Jane Nicky a b",
        ),
        ("bytes", {}, {"UserFirstname": b"\xff"}, "Doe"),
        ("zero is a name (D2)", {}, {"UserFirstname": "0"}, "0 Doe"),
    ],
)
def test_the_full_name_is_the_name_fields_that_are_not_empty(
    case: str, settings: dict[str, object], values: dict[str, object], text: str
) -> None:
    assert full_name(Naming.of(config(**settings)), JANE | values, {}) == text  # type: ignore[operator]


def test_the_full_name_takes_the_column_even_where_a_variable_shows_another() -> None:
    source = config(customer_user_name_fields=("title", "last_name"))

    assert full_name(Naming.of(source), JANE | {"UserTitle": "Ulm"}, {"title": "Dr."}) == "Dr. Doe"


def test_the_attributes_of_ldap_are_named_without_case() -> None:
    source = LdapSourceConfig.model_validate(
        {
            "host": "ldap.example.org",
            "base_dn": "dc=example",
            "customer_key": "uid",
            "customer_id": "o",
            "map": {"UserFirstname": "givenName", "UserLastname": "SN", "UserEmail": "Mail"},
        }
    )

    assert full_name(Naming.of(source), JANE, {}) == "Jane Doe"
    assert mail_string(Naming.of(source), JANE) == "jdoe@cust.test"


PIECE = st.text(alphabet="ab@. \t\n\xa0é", max_size=12)


@given(texts=st.lists(PIECE, min_size=1, max_size=3))
def test_an_address_is_told_as_the_pattern_tells_it(texts: list[str]) -> None:
    """The quick way for what is nearly always there is no other way."""
    text = " ".join(one for one in texts if one)
    match = re.fullmatch(r"(.*)\s(.+?@.+?\..+?)\s?", text)
    fields = [(str(number), "") for number, _ in enumerate(texts)]

    values = dict(zip(map(str, range(3)), texts, strict=False))
    mapped = [(name, name) for name, _ in fields]

    expected = f'"{match[1]}" <{match[2]}>' if match else text
    assert listed_strings(fields, [({}, values)]) == [expected]
    assert listed_strings(mapped, [(values, {}), ({}, values)]) == [expected, expected]


def test_what_is_missing_or_no_text_is_left_out_of_lists() -> None:
    fields = [("first_name", "UserFirstname"), ("last_name", "UserLastname")]
    people: list[tuple[Attributes, Attributes]] = [
        (JANE, {}),
        ({"UserFirstname": "Jane"}, {}),
        ({"UserFirstname": "", "UserLastname": "Doe"}, {}),
        ({"UserFirstname": ("Jane", "Ann"), "UserLastname": "Doe"}, {}),
        ({"UserFirstname": b"\xff", "UserLastname": "Doe"}, {}),
        (JANE, {"first_name": "Joan"}),
        ({}, {}),
    ]

    told = ["Jane Doe", "Jane", "Doe", "Jane Ann Doe", "Doe", "Joan Doe", ""]
    assert listed_strings(fields, people) == told
