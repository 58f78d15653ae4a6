"""The directory over a ticket system's own tables: all keys of a customer user, and what they cost.

The people and the expected texts are those of the recorded cases keys-01 to keys-13 and cu_df-01
to cu_df-06.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy
from sqlalchemy import event

from directory.attributes import Person, complete
from directory.companions import Companions, companions
from directory.config import (
    CompanyConfig,
    LdapSourceConfig,
    PreferencesConfig,
    SqlSourceConfig,
)
from directory.directory import Directory
from directory.errors import SourceMisconfigured
from directory.model import Absent, Answer, Attributes, CustomerUser, Found, Unavailable
from directory.sql import SqlSource
from directory.supplier import Supplier
from worker.tickets import schema
from worker.tickets.engine import ticket_engine

STAMPS = {
    "create_time": "2024-01-01 00:00:00",
    "create_by": 1,
    "change_time": "2024-01-01 00:00:00",
    "change_by": 1,
}

MAP: Mapping[str, Any] = {
    "UserTitle": "title",
    "UserFirstname": "first_name",
    "UserLastname": "last_name",
    "UserLogin": "login",
    "UserPassword": "pw",
    "UserEmail": "email",
    "UserCustomerID": "customer_id",
    "UserPhone": "phone",
    "UserCity": "city",
    "ValidID": {"storage": "valid_id", "storage_type": "int"},
}

FIELDS: Mapping[str, Any] = {
    f"DynamicField_{name}": {"storage": name, "storage_type": "dynamic_field"}
    for name in ("Nick", "Level", "Tags", "Vip", "Birth")
}


class TicketSystem:
    """The tables of customer users, customers and preferences."""

    def __init__(self, url: str) -> None:
        self.engine = ticket_engine(url)
        self.statements: list[str] = []
        event.listen(self.engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement != "BEGIN":
            self.statements.append(statement)

    @contextmanager
    def counting(self) -> Iterator[list[str]]:
        self.statements.clear()
        yield self.statements

    def insert(self, table: sqlalchemy.Table, **values: object) -> int:
        with self.engine.begin() as connection:
            result = connection.execute(sqlalchemy.insert(table).values(values))
        key = result.inserted_primary_key
        return int(key[0]) if key and isinstance(key[0], int) else 0

    def add_user(self, login: str, **values: object) -> None:
        defaults: dict[str, object] = {
            "email": f"{login}@cust.test",
            "customer_id": "acme",
            "first_name": "First",
            "last_name": "Last",
            "valid_id": 1,
        }
        self.insert(schema.customer_user, login=login, **{**STAMPS, **defaults, **values})

    def add_company(self, customer_id: str, name: str, **values: object) -> None:
        row = {**STAMPS, "valid_id": 1, **values}
        self.insert(schema.customer_company, customer_id=customer_id, name=name, **row)

    def prefer(self, login: str, **preferences: str | None) -> None:
        for key, value in preferences.items():
            self.insert(
                schema.customer_preferences,
                user_id=login,
                preferences_key=key,
                preferences_value=value,
            )

    def set_fields(self, login: str, **fields: Mapping[str, object]) -> None:
        """Values of dynamic fields: the value columns of one row each."""
        with self.engine.begin() as connection:
            name = schema.dynamic_field_obj_id_name
            known = connection.execute(
                sqlalchemy.select(name.c.object_id).where(name.c.object_name == login)
            ).scalar()
        object_id = known or self.insert(name, object_name=login, object_type="CustomerUser")
        for field, values in fields.items():
            row = {"field_id": self.field(field), "object_id": object_id, **values}
            self.insert(schema.dynamic_field_value, **row)

    def field(self, name: str) -> int:
        with self.engine.begin() as connection:
            row = connection.execute(
                sqlalchemy.select(schema.dynamic_field.c.id).where(
                    schema.dynamic_field.c.name == name
                )
            ).scalar()
        assert row is not None
        return int(row)

    def add_field(self, name: str, kind: str, *, valid_id: int = 1) -> None:
        self.insert(
            schema.dynamic_field,
            name=name,
            label=name,
            field_order=1,
            field_type=kind,
            object_type="CustomerUser",
            internal_field=0,
            config="",
            valid_id=valid_id,
            **STAMPS,
        )

    def execute(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def companions(
        self,
        preferences: PreferencesConfig | None = None,
        companies: Sequence[CompanyConfig] | None = None,
        **more: Any,
    ) -> Companions:
        return companions(
            lambda: self.engine,
            preferences or PreferencesConfig(),
            [CompanyConfig()] if companies is None else companies,
            **more,
        )

    def source(self, **overrides: Any) -> SqlSource:
        settings = {
            "table": "customer_user",
            "customer_key": "login",
            "customer_id": "customer_id",
            "customer_company_support": True,
            "customer_user_name_fields": ("title", "first_name", "last_name"),
            "map": MAP,
            **overrides,
        }
        return SqlSource(SqlSourceConfig.model_validate(settings), lambda: self.engine)

    def directory(self, **overrides: Any) -> Directory:
        return Directory([self.source(**overrides)], self.companions())


@pytest.fixture
def system(ticket_database: str) -> Iterator[TicketSystem]:
    """OTOBO's tables with Jane Doe of Acme."""
    made = TicketSystem(ticket_database)
    made.add_user("jdoe", title="Dr.", first_name="Jane", last_name="Doe", pw="hash")
    made.add_company(
        "acme",
        "Acme Ltd",
        street="Rue 1",
        city="Paris",
        create_time="2024-01-01 12:00:00",
        change_time="2024-01-01 13:00:00",
    )
    made.prefer(
        "jdoe",
        UserLanguage="de",
        UserLastLogin="1700000000",
        CustomKey="custom",
        UserRefreshTime="5",
    )
    yield made
    made.engine.dispose()


def attributes(answers: Mapping[str, Answer], login: str) -> Attributes:
    answer = answers[login]
    assert isinstance(answer, Found), answer
    return answer.customer_user.attributes


def test_a_customer_user_carries_all_keys_of_otobo(system: TicketSystem) -> None:
    assert dict(attributes(system.directory().find(["jdoe"]), "jdoe")) == {
        "UserTitle": "Dr.",
        "UserFirstname": "Jane",
        "UserLastname": "Doe",
        "UserLogin": "jdoe",
        "UserEmail": "jdoe@cust.test",
        "UserCustomerID": "acme",
        "ValidID": "1",
        "CreateTime": "2024-01-01 00:00:00",
        "CreateBy": "1",
        "ChangeTime": "2024-01-01 00:00:00",
        "ChangeBy": "1",
        "UserID": "jdoe",
        "UserMailString": '"Jane Doe" <jdoe@cust.test>',
        "UserFullname": "Dr. Jane Doe",
        "UserLanguage": "de",
        "UserLastLogin": "1700000000",
        "UserLastLoginTimestamp": "2023-11-14 22:13:20",
        "CustomKey": "custom",
        "UserRefreshTime": "5",
        "UserShowTickets": "25",
        "CustomerID": "acme",
        "CustomerCompanyName": "Acme Ltd",
        "CustomerCompanyStreet": "Rue 1",
        "CustomerCompanyCity": "Paris",
        "CustomerCompanyValidID": "1",
        "Source": "CustomerUser",
    }


def test_the_time_of_the_last_login_is_told_in_the_ticket_systems_zone(
    system: TicketSystem,
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    directory = Directory([system.source()], system.companions(zone=zone))

    found = attributes(directory.find(["jdoe"]), "jdoe")

    assert found["UserLastLoginTimestamp"] == "2023-11-14 23:13:20"


@pytest.mark.parametrize("value", ["", "yesterday", "9" * 30, None])
def test_a_last_login_that_is_no_moment_has_no_time_stamp(
    system: TicketSystem, value: str | None
) -> None:
    system.add_user("bob")
    system.prefer("bob", UserLastLogin=value)

    assert "UserLastLoginTimestamp" not in attributes(system.directory().find(["bob"]), "bob")


def test_an_invalid_customer_user_of_an_invalid_customer_is_found_with_both(
    system: TicketSystem,
) -> None:
    system.add_company("invco", "Invalid Co", valid_id=2)
    system.add_user("inv", customer_id="invco", valid_id=2)

    found = attributes(system.directory().find(["inv"]), "inv")

    assert found["ValidID"] == "2"
    assert found["CustomerCompanyName"] == "Invalid Co"
    assert found["CustomerCompanyValidID"] == "2"


@pytest.mark.parametrize("customer_id", ["noco", ""])
def test_a_customer_id_without_a_customer_adds_nothing(
    system: TicketSystem, customer_id: str
) -> None:
    system.add_user("bob", customer_id=customer_id)

    found = attributes(system.directory().find(["bob"]), "bob")

    assert found["UserCustomerID"] == customer_id
    assert "CustomerID" not in found
    assert "CustomerCompanyValidID" not in found


def test_a_customer_id_is_compared_without_case(system: TicketSystem) -> None:
    system.add_user("up", customer_id="ACME")

    found = attributes(system.directory().find(["up"]), "up")

    assert found["UserCustomerID"] == "ACME"
    assert found["CustomerID"] == "acme"


def test_the_first_company_source_that_knows_the_id_supplies_everything(
    system: TicketSystem,
) -> None:
    system.execute("CREATE TABLE more_companies (customer_id VARCHAR(20), name VARCHAR(20))")
    system.execute("INSERT INTO more_companies VALUES ('acme', 'Other'), ('zeta', 'Zeta')")
    system.add_user("zoe", customer_id="zeta")
    more = CompanyConfig.model_validate(
        {
            "slot": "1",
            "table": "more_companies",
            "foreign_db": True,
            "map": {"CustomerID": "customer_id", "CustomerCompanyName": "name"},
        }
    )
    directory = Directory([system.source()], system.companions(companies=[CompanyConfig(), more]))

    answers = directory.find(["jdoe", "zoe"])

    assert attributes(answers, "jdoe")["CustomerCompanyName"] == "Acme Ltd"
    assert attributes(answers, "zoe")["CustomerCompanyName"] == "Zeta"
    assert "CustomerCompanyValidID" not in attributes(answers, "zoe")


def test_in_a_foreign_table_the_stamps_are_the_companys(system: TicketSystem) -> None:
    rows = {key: value for key, value in MAP.items() if key != "ValidID"}

    found = attributes(system.directory(foreign_db=True, map=rows).find(["jdoe"]), "jdoe")

    assert found["CreateTime"] == "2024-01-01 12:00:00"
    assert found["ChangeTime"] == "2024-01-01 13:00:00"
    assert found["ValidID"] == "1"


def test_of_an_ldap_attribute_with_several_values_the_first_makes_names_and_the_company(
    system: TicketSystem,
) -> None:
    several: Attributes = {
        "UserLogin": "jdoe",
        "UserFirstname": ("Jane", "Janie"),
        "UserLastname": "Doe",
        "UserEmail": ("jane@cust.test", "jd@cust.test"),
        "UserCustomerID": ("beta", "acme"),
    }
    config = LdapSourceConfig.model_validate(
        {
            "host": "ldap.example.org",
            "base_dn": "dc=example,dc=org",
            "customer_key": "uid",
            "customer_id": "o",
            "customer_company_support": True,
            "map": {
                "UserLogin": "uid",
                "UserFirstname": "givenName",
                "UserLastname": "sn",
                "UserEmail": "mail",
                "UserCustomerID": "o",
            },
        }
    )
    user = CustomerUser("", "jdoe", several, {"givenname": ("Jane", "Janie")})
    system.add_company("beta", "Beta Ltd")

    completed = complete({"jdoe": Person(Supplier.of(config), user)}, system.companions(), None)[
        "jdoe"
    ]

    assert isinstance(completed, CustomerUser)
    assert completed.attributes["UserMailString"] == "jane@cust.test"
    assert completed.attributes["UserFullname"] == "Jane Doe"
    assert completed.attributes["CustomerCompanyName"] == "Beta Ltd"
    assert completed.attributes["UserEmail"] == ("jane@cust.test", "jd@cust.test")


def test_without_company_support_there_are_no_company_keys(system: TicketSystem) -> None:
    directory = system.directory(customer_company_support=False)

    found = attributes(directory.find(["jdoe"]), "jdoe")

    assert [key for key in found if key.startswith("CustomerC")] == []
    assert "CustomerID" not in found


def test_preferences_replace_variables_but_neither_names_nor_the_user_id(
    system: TicketSystem,
) -> None:
    system.prefer(
        "jdoe",
        UserLogin="fromprefs",
        ValidID="99",
        CustomerCompanyName="pref company",
        UserFirstname="Pref",
        UserPhone=None,
        UserPassword="secret",
        Source="elsewhere",
    )

    found = attributes(system.directory().find(["jdoe"]), "jdoe")

    assert found["UserLogin"] == "fromprefs"
    assert found["ValidID"] == "99"
    assert found["CustomerCompanyName"] == "pref company"
    assert found["UserFirstname"] == "Pref"
    assert "UserPhone" not in found
    assert "UserPassword" not in found
    assert found["Source"] == "CustomerUser"
    assert found["UserID"] == "jdoe"
    assert found["UserMailString"] == '"Jane Doe" <jdoe@cust.test>'
    assert found["UserFullname"] == "Dr. Jane Doe"


def test_a_preference_can_choose_the_company(system: TicketSystem) -> None:
    system.add_company("zeta", "Zeta Inc")
    system.prefer("jdoe", UserCustomerID="zeta")

    found = attributes(system.directory().find(["jdoe"]), "jdoe")

    assert found["CustomerCompanyName"] == "Zeta Inc"


def test_preferences_hang_on_the_spelling_of_the_directory(system: TicketSystem) -> None:
    system.add_user("bob")
    system.prefer("BOB", UserLanguage="fr")
    system.prefer("bob ", UserLanguage="it")

    answers = system.directory().find(["JDOE", "BOB"])

    assert attributes(answers, "JDOE")["UserLanguage"] == "de"
    assert "UserLanguage" not in attributes(answers, "BOB")


def test_preferences_can_be_left_out(system: TicketSystem) -> None:
    off = system.companions(preferences=PreferencesConfig(enabled=False))

    found = attributes(Directory([system.source()], off).find(["jdoe"]), "jdoe")

    assert "UserLanguage" not in found
    assert "UserShowTickets" not in found


@pytest.fixture
def fields(system: TicketSystem) -> TicketSystem:
    """Dynamic fields of customer users, with Jane's values."""
    for name, kind in (
        ("Nick", "Text"),
        ("Level", "Dropdown"),
        ("Tags", "Multiselect"),
        ("Vip", "Checkbox"),
        ("Birth", "Date"),
    ):
        system.add_field(name, kind)
    system.set_fields(
        "jdoe",
        Nick={"value_text": "Nicky"},
        Level={"value_text": "a"},
        Tags={"value_text": "a"},
        Vip={"value_int": 1},
        Birth={"value_date": "2000-02-29 00:00:00"},
    )
    system.set_fields("jdoe", Tags={"value_text": "b"})
    return system


def test_dynamic_fields_of_the_customer_user_are_raw_values(fields: TicketSystem) -> None:
    fields.add_user("one")
    fields.set_fields(
        "one",
        Tags={"value_text": "b"},
        Vip={"value_int": 0},
        Birth={},
    )
    fields.add_user("bob")
    answers = fields.directory(map={**MAP, **FIELDS}).find(["jdoe", "one", "bob"])

    def shown(login: str) -> dict[str, object]:
        found = attributes(answers, login)
        return {key: found[key] for key in found if key.startswith("DynamicField_")}

    assert shown("jdoe") == {
        "DynamicField_Nick": "Nicky",
        "DynamicField_Level": "a",
        "DynamicField_Tags": ("a", "b"),
        "DynamicField_Vip": "1",
        "DynamicField_Birth": "2000-02-29 00:00:00",
    }
    assert shown("one") == {"DynamicField_Tags": ("b",), "DynamicField_Vip": "0"}
    assert shown("bob") == {}


def test_an_invalid_dynamic_field_has_no_value(fields: TicketSystem) -> None:
    fields.execute("UPDATE dynamic_field SET valid_id = 2 WHERE name = 'Nick'")

    found = attributes(fields.directory(map={**MAP, **FIELDS}).find(["jdoe"]), "jdoe")

    assert "DynamicField_Nick" not in found
    assert found["DynamicField_Level"] == "a"


def test_dynamic_fields_hang_on_the_spelling_of_the_directory(fields: TicketSystem) -> None:
    fields.add_user("Mia")
    fields.set_fields("mia", Nick={"value_text": "Other"})

    found = attributes(fields.directory(map={**MAP, **FIELDS}).find(["mia"]), "mia")

    assert found["UserLogin"] == "Mia"
    assert "DynamicField_Nick" not in found


def test_dynamic_fields_count_in_the_full_name_and_not_in_the_mail_string(
    fields: TicketSystem,
) -> None:
    directory = fields.directory(
        map={**MAP, **FIELDS},
        customer_user_name_fields=("first_name", "Nick", "Tags"),
        customer_user_list_fields=("first_name", "Nick", "email"),
    )

    with fields.counting() as statements:
        found = attributes(directory.find(["jdoe"], {"UserFullname", "UserMailString"}), "jdoe")

    assert found["UserFullname"] == "Jane Nicky a b"
    assert found["UserMailString"] == '"Jane" <jdoe@cust.test>'
    assert [table for table in tables(statements) if "dynamic_field" in table] == ["dynamic_field"]


def tables(statements: Sequence[str]) -> list[str]:
    """The table that each statement reads first."""
    return [statement.split("FROM ")[1].split()[0] for statement in statements]


@pytest.mark.parametrize(
    ("variables", "read"),
    [
        (set(), ["customer_user"]),
        ({"UserPhone"}, ["customer_user", "customer_preferences"]),
        ({"ValidID", "CreateTime"}, ["customer_user", "customer_preferences"]),
        ({"CustomerID"}, ["customer_user", "customer_preferences", "customer_company"]),
        ({"CustomerCompanyValidID"}, ["customer_user", "customer_preferences", "customer_company"]),
        ({"DynamicField_Nick"}, ["customer_user", "dynamic_field", "customer_preferences"]),
        ({"UserFullname"}, ["customer_user", "customer_preferences"]),
        (
            None,
            ["customer_user", "dynamic_field", "customer_preferences", "customer_company"],
        ),
    ],
)
def test_only_what_is_wanted_is_read_and_each_kind_in_one_statement_for_all(
    fields: TicketSystem, variables: set[str] | None, read: list[str]
) -> None:
    logins = [f"user{number}" for number in range(40)]
    for login in logins:
        fields.add_user(login)
    directory = fields.directory(map={**MAP, **FIELDS})

    with fields.counting() as statements:
        answers = directory.find(["jdoe", *logins, "nobody"], variables)

    assert tables(statements) == read
    assert sum(isinstance(answer, Found) for answer in answers.values()) == 41


def test_nobody_found_costs_no_more_than_the_sources(system: TicketSystem) -> None:
    with system.counting() as statements:
        answers = system.directory().find(["nobody"])

    assert answers == {"nobody": Absent()}
    assert tables(statements) == ["customer_user"]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("customer_preferences", "customer user preferences could not be read: "),
        ("customer_company", "the customer (company) could not be read: "),
        ("dynamic_field_obj_id_name", "dynamic fields of customer users could not be read: "),
    ],
)
def test_a_customer_user_whose_keys_cannot_all_be_read_is_unavailable(
    fields: TicketSystem, table: str, says: str
) -> None:
    fields.execute(f"ALTER TABLE {table} RENAME TO moved")
    directory = Directory(
        [
            fields.source(map={**MAP, **FIELDS}, slot="2"),
            fields.source(slot="5", customer_company_support=False),
        ],
        fields.companions(),
    )

    answers = directory.find(["jdoe", "nobody"])

    answer = answers["jdoe"]
    assert isinstance(answer, Unavailable)
    assert answer.slot == "2"
    assert answer.reason.startswith(says)
    assert answers["nobody"] == Absent()


def test_what_is_not_wanted_need_not_be_readable(fields: TicketSystem) -> None:
    fields.execute("ALTER TABLE customer_company RENAME TO moved")

    answers = fields.directory().find(["jdoe"], {"UserPhone"})

    assert isinstance(answers["jdoe"], Found)


def test_a_company_in_a_database_of_its_own_is_closed_with_the_directory(
    system: TicketSystem, ticket_database: str
) -> None:
    config = CompanyConfig.model_validate({"url": ticket_database})
    directory = Directory([system.source()], system.companions(companies=[config]))

    for _ in range(2):
        found = attributes(directory.find(["jdoe"]), "jdoe")
        assert found["CustomerCompanyName"] == "Acme Ltd"
        directory.close()


def test_a_company_source_with_a_broken_address_is_a_misconfiguration(
    system: TicketSystem,
) -> None:
    config = CompanyConfig.model_validate({"slot": "3", "DSN": "DBI:Nonsense:x"})

    with pytest.raises(SourceMisconfigured, match="CustomerCompany3: DBI:Nonsense is not known"):
        system.companions(companies=[config])


def test_the_source_and_its_companions_close_nothing_of_the_ticket_systems(
    system: TicketSystem,
) -> None:
    directory = system.directory()
    directory.find(["jdoe"])

    directory.close()

    assert system.engine.pool.checkedin() == 1  # type: ignore[attr-defined]


def test_names_of_companies_are_told_for_people_to_read(system: TicketSystem) -> None:
    directory = system.directory()

    assert directory.company_names(["acme", "noco"]) == {"acme": "Acme Ltd"}
    assert Directory([]).company_names(["acme"]) == {}

    system.execute("ALTER TABLE customer_company RENAME TO moved")
    assert directory.company_names(["acme"]) == {}


class Elsewhere:
    """A source outside the ticket system whose logins may hold anything."""

    def __init__(self) -> None:
        self.config = SqlSourceConfig.model_validate(
            {
                "table": "t",
                "customer_key": "login",
                "customer_id": "c",
                "customer_company_support": True,
                "map": {"UserLogin": "login", "UserCustomerID": "c", **FIELDS},
            }
        )

    def find(self, logins: Sequence[str]) -> Mapping[str, Answer]:
        return {
            login: Found(CustomerUser("", login, {"UserLogin": login, "UserCustomerID": login}))
            for login in logins
        }

    def customer_ids(self, term: str = "", *, valid_only: bool = True) -> frozenset[str]:
        return frozenset()

    def login_key(self, login: str) -> str:
        return login

    def ping(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def test_a_login_that_the_ticket_system_cannot_hold_keeps_nobody_else_waiting(
    fields: TicketSystem,
) -> None:
    odd = ["a\0b", "x" * 10_000, "\U0001f600"]
    directory = Directory([Elsewhere()], fields.companions())

    answers = directory.find([*odd, "jdoe"])

    found = attributes(answers, "jdoe")
    assert found["UserLanguage"] == "de"
    assert found["DynamicField_Nick"] == "Nicky"
    for login in odd:
        assert attributes(answers, login)["UserID"] == login
        assert "UserLanguage" not in attributes(answers, login)
