"""OTOBO's configuration, in the words of Fieldfare's settings."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from directory.config import LdapSourceConfig, SqlSourceConfig
from worker import cli
from worker.from_otobo import EVENT_MODULE, translate
from worker.settings import Settings, load
from worker.settings_errors import SettingsError
from worker.toml import dumps

DATABASE = {
    "Module": "Kernel::System::CustomerUser::DB",
    "Name": "Database Backend",
    "CustomerKey": "login",
    "CustomerID": "customer_id",
    "CustomerValid": None,
    "CacheTTL": 86400,
    "Map": [
        ["UserLogin", "Username", "login", 1, 1, "var", "", 0, None, None],
        ["UserRoom", None, "room", 1, 0, None, None, 1],
        ["UserTags", "Tags", "Tags", 1, 0, "dynamic_field", "", 0],
    ],
    "Params": {
        "Table": "people",
        "DSN": "DBI:Pg:dbname=extcust;host=db",
        "User": "otobo",
        "Password": "throw-away",
        "ForeignDB": 1,
        "SearchCaseSensitive": 0,
    },
}
LDAP = {
    "Module": "Kernel::System::CustomerUser::LDAP",
    "CustomerKey": "uid",
    "CustomerID": "mail",
    "Map": [["UserLogin", "Username", "uid", 1, 1, "var", "", 1]],
    "Params": {
        "Host": "ldap.example.org",
        "BaseDN": "ou=people,dc=example,dc=org",
        "Die": 1,
        "UserPw": "throw-away",
        "DestCharset": "utf-8",
        "Params": {"port": 1389, "timeout": 7, "async": 0, "version": 3, "verify": "none"},
    },
}


def settings(folder: Path, configuration: dict[str, Any]) -> Settings:
    """What Fieldfare reads from the file that is written."""
    tree = {**translate(configuration).settings, "tickets": {"url": "sqlite://"}}
    path = folder / "fieldfare.toml"
    path.write_text(dumps(tree), encoding="utf-8")
    return load(path, env_file=None, secrets_dir=folder)


def test_sources_are_read_as_if_they_were_written_by_hand(tmp_path: Path) -> None:
    read = settings(tmp_path, {"CustomerUser": DATABASE, "CustomerUser10": LDAP})

    database, ldap = read.source_configs()
    assert isinstance(database, SqlSourceConfig)
    assert (database.slot, database.table, database.foreign_db) == ("", "people", True)
    assert database.compares_case is False
    assert database.password is not None
    assert database.password.get_secret_value() == "throw-away"
    assert [(entry.variable, entry.storage, entry.storage_type) for entry in database.map] == [
        ("UserLogin", "login", "var"),
        ("UserRoom", "room", "var"),
        ("UserTags", "Tags", "dynamic_field"),
    ]
    assert [entry.readonly for entry in database.map] == [False, True, False]
    assert isinstance(ldap, LdapSourceConfig)
    assert (ldap.slot, ldap.host, ldap.port) == ("10", ("ldap.example.org",), 1389)
    assert (ldap.timeout, ldap.tls.verify) == (7.0, False)


def test_the_file_speaks_of_options_by_fieldfares_names() -> None:
    text = dumps(translate({"CustomerUser1": LDAP}).settings)

    assert text == (
        "[sources.CustomerUser1]\n"
        'kind = "ldap"\n'
        'customer_key = "uid"\n'
        'customer_id = "mail"\n'
        'map = [["UserLogin", "Username", "uid", 1, 1, "var", "", 1]]\n'
        "timeout = 7.0\n"
        'host = ["ldap.example.org"]\n'
        "port = 1389\n"
        'base_dn = "ou=people,dc=example,dc=org"\n'
        'user_pw = "throw-away"\n'
        "version = 3\n\n"
        "[sources.CustomerUser1.tls]\n"
        "verify = false\n"
    )


@pytest.mark.parametrize("nested", [True, False])
def test_mapping_screens_and_the_event_module_find_their_places(
    tmp_path: Path, nested: bool
) -> None:
    screen = {"CustomerPhone": "1", "CustomerCity": 0}
    module = {"Module": "x", "Event": "y", "Transaction": 1}
    names: dict[str, Any] = {
        "Ticket::Frontend::AgentTicketPhone###DynamicField": screen,
        EVENT_MODULE: module,
    }
    if nested:
        names = {
            "Ticket::Frontend::AgentTicketPhone": {"DynamicField": screen},
            "Ticket::EventModulePost": {EVENT_MODULE.partition("###")[2]: module},
        }

    read = settings(
        tmp_path,
        {
            "DynamicFieldFromCustomerUser::Mapping": {"UserPhone": "CustomerPhone", "None": ""},
            **names,
        },
    )

    assert read.mapping.variables == {"UserPhone": "CustomerPhone"}
    assert read.precedence.screens == {"AgentTicketPhone": {"CustomerPhone": 1, "CustomerCity": 0}}
    assert read.precedence.enabled is False


def test_a_set_of_sources_in_slots_is_the_same_as_names(tmp_path: Path) -> None:
    given = {
        "sources": [{"slot": "", "config": "db"}, {"slot": "4", "config": LDAP}],
        "source_configs": {"db": DATABASE},
        "mapping": {"UserLogin": "CLogin"},
        "event_module": {"Module": "x", "Event": "TicketCreate"},
        "settings": {"OTOBOTimeZone": "Europe/Berlin"},
    }
    named = {
        "CustomerUser": DATABASE,
        "CustomerUser4": LDAP,
        "DynamicFieldFromCustomerUser::Mapping": {"UserLogin": "CLogin"},
        EVENT_MODULE: {"Module": "x", "Event": "TicketCreate"},
        "OTOBOTimeZone": "Europe/Berlin",
    }

    translated = translate(given).settings

    for key in translated.keys() | translate(named).settings.keys():
        assert translated[key] == translate(named).settings[key]
    assert settings(tmp_path, given).precedence.enabled is True


def test_companies_preferences_and_their_defaults_are_taken_over(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        {
            "CustomerCompany": {"Name": "Firms", "Params": {"Table": "firms"}, "Map": []},
            "CustomerPreferences": {"Module": "x", "Params": {"Table": "prefs"}},
            "CustomerPreferencesGroups": {
                "RefreshTime": {"PrefKey": "UserRefreshTime", "DataSelected": 5},
                "Language": {"PrefKey": "UserLanguage"},
            },
        },
    )

    assert read.companies["CustomerCompany"].table == "firms"
    assert read.preferences.table == "prefs"
    assert read.preferences.defaults == {"UserRefreshTime": "5"}


def test_the_ticket_systems_own_database_is_taken_over() -> None:
    dsn = "DBI:Pg:dbname=otobo;host=db.example.org"
    translation = translate({"DatabaseDSN": dsn, "DatabaseUser": "otobo", "DatabasePw": "x"})

    assert translation.settings["tickets"] == {
        "url": "postgresql+psycopg://db.example.org/otobo",
        "user": "otobo",
        "password": "x",
    }
    assert translation.notes == ()
    assert "tickets" not in translate({"DatabaseDSN": "nonsense"}).settings
    assert len(translate({"DatabaseDSN": "nonsense"}).notes) == 1


def test_what_means_nothing_here_is_left_out_and_told_without_values() -> None:
    translation = translate(
        {
            "CheckMXRecord": "a value",
            "CustomerUser": LDAP,
            "CustomerUser2": None,
            "DynamicFieldFromCustomerUser::Mapping": {"UserPhone": None},
            EVENT_MODULE: 0,
        }
    )

    assert translation.notes == (
        "CheckMXRecord means nothing to Fieldfare and is left out",
        "CustomerUser: Fieldfare has no option DestCharset",
        "DynamicFieldFromCustomerUser::Mapping: UserPhone names no field",
        "the event module is off: emit no events, or OTOBO's outcome is another",
    )
    assert list(translation.settings["sources"]) == ["CustomerUser"]


def test_a_block_that_cannot_work_is_handed_on_and_refused_where_it_is_read(
    tmp_path: Path,
) -> None:
    without_host = {**LDAP, "Params": {"BaseDN": "dc=x"}}

    translation = translate({"CustomerUser": without_host})

    assert translation.notes == (
        "CustomerUser cannot be used as it is; fieldfare config show says why",
    )
    with pytest.raises(SettingsError, match=r"CustomerUser\.host: is missing"):
        settings(tmp_path, {"CustomerUser": without_host})


def test_the_command_prints_the_file_and_tells_what_it_left_out(tmp_path: Path) -> None:
    file = tmp_path / "otobo.json"
    file.write_text(json.dumps({"CustomerUser1": LDAP, "CheckMXRecord": 0}))

    ran = CliRunner().invoke(cli.app, ["config", "from-otobo", str(file)])

    assert ran.exit_code == 0
    assert tomllib.loads(ran.stdout) == translate({"CustomerUser1": LDAP}).settings
    assert "CheckMXRecord means nothing to Fieldfare" in ran.stderr


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot be read"), ("{", "is not JSON"), ("[]", "is not an object")],
)
def test_the_command_says_what_is_wrong_with_a_file(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    file = tmp_path / "otobo.json"
    if content is not None:
        file.write_text(content)

    ran = CliRunner().invoke(cli.app, ["config", "from-otobo", str(file)])

    assert ran.exit_code == 2
    assert complaint in ran.stderr.replace("\n", " ")
