"""Dynamic fields of customer users are written as OTOBO keeps them, on every database."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection, select

from directory import customer_user_fields as fields
from directory.config import SqlSourceConfig
from directory.database import Database
from directory.dynamic_fields import DynamicFields
from directory.map_values import customer_users_of
from directory.refusals import Refused
from directory.transactions import transact
from tests.otobo import Otobo
from worker.tickets import schema
from worker.tickets.engine import ticket_engine

LEVELS = {"PossibleValues": {"gold": "Gold", "1": "one"}}
DEFINITIONS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "Text": ("Text", {}),
    "Area": ("TextArea", {}),
    "Level": ("Dropdown", LEVELS),
    "Tags": ("Multiselect", LEVELS),
    "Box": ("Checkbox", {}),
    "Day": ("Date", {}),
    "Moment": ("DateTime", {}),
    "Phones": ("Text", {"MultiValue": "1"}),
}

Texts = tuple[str, ...]


class Site:
    """A ticket system with dynamic fields of customer users."""

    def __init__(self, url: str) -> None:
        self.otobo = Otobo(url)
        self.engine = ticket_engine(url)
        self.database = Database(lambda: self.engine, 30, shared=True)
        self.reader = DynamicFields(self.database)
        self.ids = {
            name: self.otobo.add_field(name, kind, config, object_type="CustomerUser")
            for name, (kind, config) in DEFINITIONS.items()
        }

    def close(self) -> None:
        self.engine.dispose()
        self.otobo.close()

    def write(self, values: Mapping[str, Mapping[str, Texts]]) -> Mapping[str, Texts]:
        names = {name for of in values.values() for name in of}

        def work(connection: Connection) -> Mapping[str, Texts]:
            return fields.write(connection, fields.definitions(connection, names), values)

        return transact(self.database, work, turn="customer_user")

    def read(self, login: str) -> Mapping[str, Any]:
        return self.reader.read([login], DEFINITIONS).get(login, {})

    def rows(self, name: str) -> list[tuple[Any, ...]]:
        value = schema.dynamic_field_value.c
        columns = (value.value_text, value.value_date, value.value_int, value.index_value)
        statement = select(*columns).where(value.field_id == self.ids[name]).order_by(value.id)
        with self.engine.connect() as connection:
            return [(*row,) for row in connection.execute(statement)]

    def ids_of_rows(self) -> list[int]:
        with self.engine.connect() as connection:
            value = schema.dynamic_field_value.c
            return [*connection.execute(select(value.id).order_by(value.id)).scalars()]

    def number(self, login: str) -> int:
        """The number of a customer user, given by the ticket system if there is none."""
        with self.engine.begin() as connection:
            return fields._give_numbers(connection, [login])[login]


@pytest.fixture
def site(ticket_database: str) -> Iterator[Site]:
    found = Site(ticket_database)
    yield found
    found.close()


ALL: Mapping[str, Texts] = {
    "Text": ("Grüße, 日本 🎉",),
    "Area": ("a\nb",),
    "Level": ("1",),
    "Tags": ("gold", "1"),
    "Box": ("1",),
    "Day": ("2024-02-29",),
    "Moment": ("2024-02-29 13:14:15",),
    "Phones": ("1", "2"),
}


def test_each_type_is_written_in_its_own_rows_and_read_back(site: Site) -> None:
    changed = site.write({"jdoe": ALL})

    assert changed == {"jdoe": tuple(ALL)}
    assert site.read("jdoe") == {
        "Text": "Grüße, 日本 🎉",
        "Area": "a\nb",
        "Level": "1",
        "Tags": ("gold", "1"),
        "Box": "1",
        "Day": "2024-02-29 00:00:00",
        "Moment": "2024-02-29 13:14:15",
        "Phones": ("1", "2"),
    }
    assert site.rows("Level") == [("1", None, None, None)]
    assert site.rows("Tags") == [("gold", None, None, None), ("1", None, None, None)]
    assert site.rows("Box") == [(None, None, 1, None)]
    assert site.rows("Day") == [(None, "2024-02-29 00:00:00", None, None)]
    assert site.rows("Phones") == [("1", None, None, 0), ("2", None, None, 1)]


def test_what_is_there_already_is_not_written_again(site: Site) -> None:
    site.write({"jdoe": ALL, "bob": {"Text": ("x",)}})
    before = site.ids_of_rows()

    assert site.write({"jdoe": ALL, "bob": {"Text": ("x",), "Area": ()}}) == {}
    assert site.ids_of_rows() == before


def test_only_what_differs_is_written(site: Site) -> None:
    site.write({"jdoe": ALL, "bob": {"Text": ("x",)}})

    changed = site.write(
        {"jdoe": {**ALL, "Text": ("new",), "Tags": ("1",)}, "bob": {"Text": ("x",), "Box": ("0",)}}
    )

    assert changed == {"jdoe": ("Text", "Tags"), "bob": ("Box",)}
    assert (site.read("jdoe")["Text"], site.read("jdoe")["Tags"]) == ("new", ("1",))
    assert site.read("bob") == {"Text": "x", "Box": "0"}


def test_an_emptied_field_leaves_what_otobo_leaves(site: Site) -> None:
    site.write({"jdoe": ALL})

    changed = site.write({"jdoe": dict.fromkeys(ALL, ())})

    assert changed == {"jdoe": tuple(ALL)}
    assert site.read("jdoe") == {"Box": "0"}
    assert site.rows("Day") == site.rows("Moment") == [(None, None, None, None)]
    assert site.rows("Box") == [(None, None, 0, None)]
    assert [site.rows(name) for name in ("Text", "Level", "Tags", "Phones")] == [[], [], [], []]
    assert site.write({"jdoe": dict.fromkeys(ALL, ())}) == {}


def test_emptying_what_was_never_filled_leaves_no_trace(site: Site) -> None:
    assert site.write({"jdoe": dict.fromkeys(ALL, ())}) == {}

    with site.engine.connect() as connection:
        assert connection.execute(select(schema.dynamic_field_obj_id_name)).all() == []
    assert site.ids_of_rows() == []


def test_a_number_that_somebody_else_gave_just_now_is_taken(site: Site) -> None:
    assert site.number("jdoe") == site.number("jdoe")


def test_rows_that_a_race_left_behind_are_healed(site: Site) -> None:
    number = site.number("jdoe")
    for text in ("a", "b"):
        site.otobo.insert_value(number, "Text", value_text=text)

    assert site.write({"jdoe": {"Text": ("a",)}}) == {"jdoe": ("Text",)}
    assert site.rows("Text") == [("a", None, None, None)]


def test_a_list_that_was_one_value_counts_as_its_first(site: Site) -> None:
    site.otobo.insert_value(site.number("jdoe"), "Phones", value_text="1")

    assert site.write({"jdoe": {"Phones": ("1",)}}) == {}


def test_logins_are_told_apart_by_their_exact_spelling(site: Site) -> None:
    site.write({"jdoe": {"Text": ("a",)}})

    if site.engine.dialect.name == "mysql":
        # Its collation takes the spellings for one, and has room for one.
        with pytest.raises(Refused, match="under another spelling") as refused:
            site.write({"JDoe": {"Text": ("b",)}})
        assert refused.value.error == "refused_by_database"
    else:
        site.write({"JDoe": {"Text": ("b",)}})
        assert site.read("JDoe") == {"Text": "b"}
    assert site.read("jdoe") == {"Text": "a"}


def test_nothing_is_taken_along_that_somebody_wrote_meanwhile(site: Site) -> None:
    site.write({"jdoe": {"Text": ("a",)}})

    def work(connection: Connection) -> None:
        ids = [*connection.execute(select(schema.dynamic_field_value.c.id)).scalars()]
        fields._remove(connection, [*ids, ids[0] + 1])

    with pytest.raises(Refused, match="changed meanwhile"):
        transact(site.database, work, turn="customer_user")

    assert site.read("jdoe") == {"Text": "a"}


def test_fields_of_tickets_and_invalid_fields_are_no_fields_of_customer_users(site: Site) -> None:
    site.otobo.add_field("OfTickets")
    site.otobo.add_field("Old", object_type="CustomerUser", valid_id=2)

    with site.engine.connect() as connection:
        found = fields.definitions(connection, ["Text", "text", "OfTickets", "Old", "None"])
        nothing = fields.definitions(connection, [])

    assert [*found] == ["Text"]
    assert found["Text"].id == site.ids["Text"]
    assert nothing == {}


def test_a_ticket_system_without_numbered_values_can_be_written(site: Site) -> None:
    for name in schema.INDEX_COLUMNS:
        with site.engine.begin() as connection:
            drop = f"ALTER TABLE dynamic_field_value DROP COLUMN {name}"
            connection.execute(sqlalchemy.text(drop))
    single = {name: texts for name, texts in ALL.items() if name != "Phones"}

    assert site.write({"jdoe": single}) == {"jdoe": tuple(single)}
    assert site.write({"jdoe": single}) == {}


def test_what_a_field_does_not_take_is_refused_under_its_variable(site: Site) -> None:
    config = SqlSourceConfig.model_validate(
        {
            "table": "customer_user",
            "customer_key": "login",
            "customer_id": "customer_id",
            "map": [
                ["UserLogin", "", "login", 1, 1, "var"],
                ["DynamicField_Level", "Level", "Level", 1, 0, "dynamic_field"],
                ["DynamicField_Day", "Day", "Day", 1, 0, "dynamic_field"],
                ["DynamicField_Gone", "Gone", "Gone", 1, 0, "dynamic_field"],
                ["DynamicField_Text", "Text", "Text", 1, 0, "dynamic_field"],
            ],
        }
    )
    values = {"Level": ("x",), "Day": ("soon",), "Gone": ("x",), "Text": ("x",)}
    with site.engine.connect() as connection:
        known = fields.definitions(connection, values)

    found = fields.refusals(known, values, customer_users_of(config, {}))

    assert [(one.error, one.field, one.source) for one in found] == [
        ("not_a_choice", "DynamicField_Level", "CustomerUser"),
        ("not_a_date", "DynamicField_Day", "CustomerUser"),
        ("unknown_field", "DynamicField_Gone", "CustomerUser"),
    ]
