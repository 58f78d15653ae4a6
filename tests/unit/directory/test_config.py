"""Source configurations are accepted in snake_case and as they stand in ``Kernel/Config.pm``."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from directory.config import (
    CompanyConfig,
    LdapSourceConfig,
    PreferencesConfig,
    SqlSourceConfig,
    lift_params,
)
from directory.kinds import AnySourceConfig

SHIPPED: dict[str, Any] = {
    "Name": "Database Backend",
    "Module": "Kernel::System::CustomerUser::DB",
    "Params": {"Table": "customer_user", "SearchCaseSensitive": 0, "DSN": "", "ForeignDB": ""},
    "CustomerKey": "login",
    "CustomerID": "customer_id",
    "CustomerValid": "valid_id",
    "CustomerUserListFields": ["first_name", "last_name", "email"],
    "CustomerCompanySupport": 1,
    "CacheTTL": 86400,
    "Map": [
        ["UserFirstname", "Firstname", "first_name", 1, 1, "var", "", 0, None, None],
        ["UserLogin", "Username", "login", 1, 1, "var", "", 0],
        ["ValidID", "Valid", "valid_id", 0, 1, "int", "", 0, None, None],
        ["UserNick", "Nick", "Nick", 0, 0, "DYNAMIC_FIELD"],
        ["UserRoom", "Room", "room", 0, 0, "text"],
    ],
}

LDAP: dict[str, Any] = {
    "Module": "Kernel::System::CustomerUser::LDAP",
    "Params": {
        "Host": "ldap.example.org",
        "BaseDN": "dc=example,dc=org",
        "SSCOPE": "sub",
        "UserDN": "",
        "SourceCharset": "",
        "Die": 0,
        "Params": {"port": 389, "timeout": 120, "async": 0, "version": 3, "verify": "none"},
    },
    "CustomerKey": "uid",
    "CustomerID": "mail",
    "Map": [["UserLogin", "Username", "uid"]],
}


def source(data: dict[str, Any]) -> SqlSourceConfig | LdapSourceConfig:
    adapter: TypeAdapter[SqlSourceConfig | LdapSourceConfig] = TypeAdapter(AnySourceConfig)
    return adapter.validate_python(lift_params(data))


def short(**settings: Any) -> SqlSourceConfig:
    return SqlSourceConfig.model_validate(
        {
            "table": "people",
            "customer_key": "login",
            "customer_id": "customer_id",
            "map": {"UserLogin": "login"},
            **settings,
        }
    )


def test_otobos_own_block_of_a_database_source_is_accepted() -> None:
    config = source(SHIPPED)

    assert isinstance(config, SqlSourceConfig)
    assert config.table == "customer_user"
    assert config.in_ticket_database
    assert not config.compares_case
    assert not config.foreign_db
    assert config.customer_company_support
    assert config.list_fields == ("first_name", "last_name", "email")
    assert config.name_fields == ("first_name", "last_name")
    assert config.source_name == "CustomerUser"
    assert [(entry.variable, entry.storage, entry.storage_type) for entry in config.map] == [
        ("UserFirstname", "first_name", "var"),
        ("UserLogin", "login", "var"),
        ("ValidID", "valid_id", "int"),
        ("UserNick", "Nick", "dynamic_field"),
        ("UserRoom", "room", "var"),
    ]


def test_otobos_own_block_of_an_ldap_source_is_accepted() -> None:
    config = source(LDAP)

    assert isinstance(config, LdapSourceConfig)
    assert config.host == ("ldap.example.org",)
    assert config.port == 389
    assert config.timeout == 120.0
    assert config.user_dn is None
    assert config.source_charset == "utf-8"
    assert not config.tls.verify
    assert config.list_fields == ("cn", "mail")


def test_an_option_that_is_undef_in_perl_is_not_set() -> None:
    unset = dict.fromkeys(["Name", "CustomerUserNameFieldsJoin", "Selections", "ReadOnly"])

    assert source({**SHIPPED, **unset}) == source(SHIPPED).model_copy(update={"name": ""})


def test_numbers_of_net_ldap_may_come_as_text() -> None:
    numbers = {"port": "3389", "timeout": "12", "async": "0", "version": "2"}
    config = source({**LDAP, "Params": {**LDAP["Params"], "Params": numbers}})

    assert isinstance(config, LdapSourceConfig)
    assert (config.port, config.timeout, config.version) == (3389, 12.0, 2)


def test_certificates_of_net_ldap_become_the_tls_table() -> None:
    params = {**LDAP["Params"], "cafile": "/etc/ca.pem", "verify": "require"}
    config = source({**LDAP, "Params": {**params, "Params": {"port": 636}}})

    assert isinstance(config, LdapSourceConfig)
    assert config.tls.ca_file == "/etc/ca.pem"
    assert config.tls.verify


def test_the_short_form_says_the_same() -> None:
    config = short(map={"UserLogin": "login", "ValidID": {"storage": "v", "storage_type": "int"}})

    assert [(entry.variable, entry.storage, entry.storage_type) for entry in config.map] == [
        ("UserLogin", "login", "var"),
        ("ValidID", "v", "int"),
    ]


@pytest.mark.parametrize(
    ("settings", "compares_case"),
    [
        ({}, False),
        ({"case_sensitive": True}, True),
        ({"CaseSensitive": 1, "SearchCaseSensitive": 0}, False),
        ({"CaseSensitive": 0, "SearchCaseSensitive": 1}, True),
    ],
)
def test_the_setting_for_searches_wins_over_the_general_one(
    settings: dict[str, Any], compares_case: bool
) -> None:
    assert short(**settings).compares_case is compares_case


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"slot": "11"}, "does not exist"),
        ({"url": "sqlite://", "DSN": "DBI:Pg:dbname=x"}, "give url or dsn, not both"),
        ({"map": [["UserLogin", "Username"]]}, "a Map row has 3 to 10 columns"),
        ({"nonsense": 1}, "Extra inputs are not permitted"),
        ({"Table": "a", "Params": {"Table": "b"}}, "Table is given twice, with different values"),
        ({"timeout": 0}, "greater than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        short(**settings)


def test_what_is_not_a_table_of_settings_is_refused() -> None:
    with pytest.raises(ValidationError, match="valid dictionary"):
        SqlSourceConfig.model_validate("people")


def test_a_slot_may_be_named_as_otobo_names_the_source() -> None:
    assert short(slot="CustomerUser7").source_name == "CustomerUser7"


def test_a_password_shows_in_no_repr_and_no_error() -> None:
    config = short(url="postgresql://u:hunter2@db/x", Password="hunter2")

    assert "hunter2" not in repr(config)
    with pytest.raises(ValidationError) as caught:
        short(Password={"hunter2": 1})
    assert "hunter2" not in str(caught.value)


def test_the_company_and_the_preferences_have_otobos_defaults() -> None:
    company = CompanyConfig.model_validate({"Params": {"Table": "customer_company"}})
    preferences = PreferencesConfig.model_validate({"Params": {"TableKey": "k"}})

    assert company.customer_company_key == "customer_id"
    assert {entry.variable: entry.storage for entry in company.map}["CustomerCompanyName"] == "name"
    assert preferences.key == "k"
    assert preferences.user_id == "user_id"
    assert preferences.defaults == {"UserRefreshTime": "0", "UserShowTickets": "25"}


def test_blocks_of_companies_and_preferences_may_name_their_module() -> None:
    company = CompanyConfig.model_validate(
        {"Module": "Kernel::System::CustomerCompany::DB", "Params": {"Table": "firms"}}
    )
    preferences = PreferencesConfig.model_validate(
        {"Module": "Kernel::System::CustomerUser::Preferences::DB", "Params": {"Table": "prefs"}}
    )

    assert company.table == "firms"
    assert preferences.table == "prefs"


@pytest.mark.parametrize("module", ["Kernel::System::CustomerUser::Oracle", "My::DB"])
def test_a_back_end_that_is_not_known_is_refused(module: str) -> None:
    with pytest.raises(ValidationError, match="kind"):
        source({**SHIPPED, "Module": module})
