"""The settings: which place wins, which names are understood, and what an admin is told."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from directory.config import LdapSourceConfig, SqlSourceConfig
from worker.render import MASK, masked
from worker.settings import Settings, find_file, load
from worker.settings_errors import SettingsError

MINIMAL = '[tickets]\nurl = "sqlite:///tickets.sqlite"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, no variables of ours, no secret files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIELDFARE_SECRETS_DIR", str(tmp_path / "secrets"))
    return tmp_path


def write(text: str, name: str = "fieldfare.toml") -> Path:
    path = Path(name).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def problems(toml: str) -> tuple[str, ...]:
    """What an admin is told about a settings file."""
    path = write(toml)
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert caught.value.place == str(path)
    assert str(path) in str(caught.value)
    return caught.value.problems


def plain(settings: Settings) -> Mapping[str, Any]:
    tree: Mapping[str, Any] = masked(settings)
    return tree


# -- layers


def test_what_nobody_sets_has_its_default() -> None:
    settings = load(write(MINIMAL))

    assert settings.redis.url.get_secret_value() == "redis://127.0.0.1:6379/0"
    assert settings.tickets.worker_user == "fieldfare"
    assert settings.tickets.batch_size == 50
    assert settings.cache.ttl_max == 300
    assert settings.inbox.batch == 200
    assert settings.sweep.look_back == 604_800
    assert settings.sweep.settle == 2.0
    assert settings.precedence.unknown_frontend == "keep"
    assert settings.sources == {}


def test_each_place_wins_over_the_one_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml = 'worker_user = "toml"\ntime_zone = "Europe/Berlin"\nuser = "toml"\npassword = "toml"\n'
    write(MINIMAL + toml + "batch_size = 1\n")
    write(
        "FIELDFARE_TICKETS__TIME_ZONE=Asia/Tokyo\nFIELDFARE_TICKETS__USER=dotenv\n"
        "FIELDFARE_TICKETS__PASSWORD=dotenv\n",
        ".env",
    )
    monkeypatch.setenv("FIELDFARE_TICKETS__USER", "environment")
    monkeypatch.setenv("FIELDFARE_TICKETS__PASSWORD", "environment")
    write("secret file", "secrets/tickets__password")

    tickets = load().tickets

    assert tickets.batch_size == 1
    assert tickets.worker_user == "toml"
    assert tickets.time_zone == "Asia/Tokyo"
    assert tickets.user == "environment"
    assert tickets.password is not None
    assert tickets.password.get_secret_value() == "secret file"


def test_a_dotenv_file_may_hold_what_is_not_ours(folder: Path) -> None:
    write(MINIMAL)
    write("POSTGRES_PASSWORD=other\nTICKETS=other\nFIELDFARE_LOG__LEVEL=debug\n", ".env")

    assert load().log.level == "debug"


def test_a_dotenv_file_with_an_unknown_setting_is_refused(folder: Path) -> None:
    write(MINIMAL)
    write("FIELDFARE_LOGS__LEVEL=debug\n", ".env")

    with pytest.raises(SettingsError, match="logs"):
        load()


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDFARE_TICKETS__URL", "sqlite://")
    monkeypatch.setenv("FIELDFARE_SWEEP__SOURCE", "history")
    monkeypatch.setenv("FIELDFARE_MAPPING__VARIABLES", '{"UserPhone": "Phone"}')

    settings = load()

    assert settings.sweep.interval == 1.0
    assert settings.mapping.variables == {"UserPhone": "Phone"}


def test_a_source_and_a_company_may_come_from_the_environment_with_lists_and_tables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "KIND": "ldap",
        "HOST": '["one.example.org", "two.example.org"]',
        "BASE_DN": "dc=x",
        "CUSTOMER_KEY": "uid",
        "CUSTOMER_ID": "mail",
        "MAP": '{"UserLogin": "uid"}',
        "TLS__START_TLS": "true",
        "CUSTOMER_USER_NAME_FIELDS": '["cn"]',
    }.items():
        monkeypatch.setenv(f"FIELDFARE_SOURCES__CUSTOMERUSER1__{name}", value)
    monkeypatch.setenv("FIELDFARE_COMPANIES__CUSTOMERCOMPANY__MAP", '{"CustomerRoom": "room"}')
    write(MINIMAL)

    settings = load()

    source = settings.source("1")
    assert isinstance(source, LdapSourceConfig)
    assert source.host == ("one.example.org", "two.example.org")
    assert source.storages == {"UserLogin": "uid"}
    assert source.tls.start_tls
    assert source.name_fields == ("cn",)
    (company,) = settings.company_configs()
    assert [(one.variable, one.storage) for one in company.map] == [("CustomerRoom", "room")]


@pytest.mark.parametrize("host", ["ldap.example.org", "ldap://[::1]:389", "[::1]", "389"])
def test_a_single_host_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("FIELDFARE_SOURCES__CUSTOMERUSER__HOST", host)
    write(
        MINIMAL + '[sources.CustomerUser]\nkind = "ldap"\nbase_dn = "dc=x"\n'
        'customer_key = "uid"\ncustomer_id = "mail"\nmap = { UserLogin = "uid" }\n'
    )

    source = load().source("")

    assert isinstance(source, LdapSourceConfig)
    assert source.host == (host,)


def test_a_password_of_a_source_may_come_from_the_environment_or_a_secret_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(
        MINIMAL
        + '[CustomerUser]\nModule = "Kernel::System::CustomerUser::LDAP"\nCustomerKey = "uid"\n'
        'CustomerID = "mail"\nMap = { UserLogin = "uid" }\n'
        'Params = { Host = "ldap", BaseDN = "dc=x", UserDN = "cn=x" }\n'
        "[CustomerUser1]\n"
        'kind = "sql"\nTable = "people"\nCustomerKey = "login"\nCustomerID = "id"\n'
        'Map = { UserLogin = "login" }\n'
    )
    write("of the file", "secrets/sources__customeruser__user_pw")
    monkeypatch.setenv("FIELDFARE_SOURCES__CUSTOMERUSER1__PASSWORD", "of the environment")

    first, second = load().source_configs()

    assert isinstance(first, LdapSourceConfig)
    assert isinstance(second, SqlSourceConfig)
    assert first.user_pw is not None
    assert first.user_pw.get_secret_value() == "of the file"
    assert first.host == ("ldap",)
    assert second.password is not None
    assert second.password.get_secret_value() == "of the environment"


def test_the_file_is_the_one_that_is_named_first(monkeypatch: pytest.MonkeyPatch) -> None:
    named, given = Path("named.toml"), Path("given.toml")
    default = Path("/etc/fieldfare/fieldfare.toml")
    assert find_file() == (default if default.is_file() else None)
    write(MINIMAL)
    assert find_file() == Path("fieldfare.toml")
    monkeypatch.setenv("FIELDFARE_CONFIG", str(named))
    assert find_file() == named
    assert find_file(given) == given


# -- OTOBO's own names


MANUAL = """
[tickets]
url = "sqlite:///tickets.sqlite"

[CustomerUser]
Name = "Database Backend"
Module = "Kernel::System::CustomerUser::DB"
CustomerKey = "login"
CustomerID = "customer_id"
CustomerValid = "valid_id"
CustomerUserListFields = ["first_name", "last_name", "email"]
CustomerUserSearchFields = ["login", "first_name", "last_name", "customer_id"]
CustomerUserSearchPrefix = "*"
CustomerUserSearchSuffix = "*"
CustomerUserSearchListLimit = 250
CustomerUserPostMasterSearchFields = ["email"]
CustomerUserNameFields = ["title", "first_name", "last_name"]
CustomerUserEmailUniqCheck = 1
CustomerCompanySupport = 1
CacheTTL = 86400
Map = [
    ["UserTitle", "Title or salutation", "title", 1, 0, "var", "", 0, "", ""],
    ["UserLogin", "Username", "login", 1, 1, "var", "", 0, "", ""],
    ["UserRoom", "Room", "room", 0, 1, "var", "", 0],
    ["DynamicField_Name_X", "", "Name_X", 0, 0, "dynamic_field", "", 0, "", ""],
]
[CustomerUser.Params]
DSN = "DBI:mysql:database=customerdb;host=customerdbhost"
User = "reader"
Password = "hunter2"
Table = "customer_user"
ForeignDB = 0
CaseSensitive = 1
SearchCaseSensitive = 0

["CustomerUser10"]
Module = "Kernel::System::CustomerUser::LDAP"
CustomerKey = "uid"
CustomerID = "mail"
Map = [["UserLogin", "Username", "uid", 1, 1, "var", "", 1, "", ""]]
Params = { Host = "bay.example.edu", BaseDN = "ou=seas,o=csuh", SSCOPE = "sub", Die = 1 }

[CustomerCompany]
Params = { Table = "customer_company", CaseSensitive = 0 }

[CustomerPreferences.Params]
Table = "customer_preferences"
TableUserID = "user_id"
TableKey = "preferences_key"
TableValue = "preferences_value"

["DynamicFieldFromCustomerUser::Mapping"]
UserTitle = "CustomerTitle"
UserRoom = "CustomerRoom"

["Ticket::Frontend::AgentTicketPhone###DynamicField"]
CustomerRoom = 1
CustomerTitle = 2
"""


def test_what_an_admin_copies_from_otobo_is_understood() -> None:
    settings = load(write(MANUAL))

    first, last = settings.source_configs()
    assert isinstance(first, SqlSourceConfig)
    assert (first.slot, first.name, first.table) == ("", "Database Backend", "customer_user")
    assert first.dsn == "DBI:mysql:database=customerdb;host=customerdbhost"
    assert (first.user, first.cache_ttl, first.customer_company_support) == ("reader", 86400, True)
    assert not first.compares_case, "SearchCaseSensitive wins"
    assert [(entry.variable, entry.storage, entry.storage_type) for entry in first.map] == [
        ("UserTitle", "title", "var"),
        ("UserLogin", "login", "var"),
        ("UserRoom", "room", "var"),
        ("DynamicField_Name_X", "Name_X", "dynamic_field"),
    ]
    assert isinstance(last, LdapSourceConfig)
    assert (last.slot, last.host, last.base_dn) == ("10", ("bay.example.edu",), "ou=seas,o=csuh")
    assert settings.source("10") is last
    assert settings.mapping.variables == {"UserTitle": "CustomerTitle", "UserRoom": "CustomerRoom"}
    assert settings.precedence.screens == {
        "AgentTicketPhone": {"CustomerRoom": 1, "CustomerTitle": 2}
    }
    (company,) = settings.company_configs()
    assert (company.table, company.slot) == ("customer_company", "")
    assert settings.preferences.key == "preferences_key"
    assert "hunter2" not in repr(settings)


def test_sources_are_asked_in_the_order_of_their_numbers() -> None:
    block = 'kind = "sql"\ntable = "t"\ncustomer_key = "l"\ncustomer_id = "i"\nmap = {}\n'
    names = ["CustomerUser10", "CustomerUser2", "CustomerUser", "CustomerUser1"]
    toml = MINIMAL + "".join(f"[sources.{name}]\n{block}" for name in names)

    slots = [source.slot for source in load(write(toml)).source_configs()]

    assert slots == ["", "1", "2", "10"]


def test_settings_under_both_names_are_joined_where_they_do_not_clash() -> None:
    toml = (
        MINIMAL + '[mapping.variables]\nUserPhone = "Phone"\n'
        '["DynamicFieldFromCustomerUser::Mapping"]\nUserCity = "City"\n'
    )

    assert load(write(toml)).mapping.variables == {"UserPhone": "Phone", "UserCity": "City"}


@pytest.mark.parametrize(
    ("toml", "path"),
    [
        (
            """
            [mapping.variables]
            UserPhone = "Phone"
            ["DynamicFieldFromCustomerUser::Mapping"]
            UserPhone = "Fax"
            """,
            "mapping.variables",
        ),
        (
            """
            [precedence.screens.AgentTicketPhone]
            Phone = 1
            ["Ticket::Frontend::AgentTicketPhone###DynamicField"]
            Phone = 0
            """,
            "precedence.screens.AgentTicketPhone",
        ),
    ],
)
def test_one_setting_under_both_names_is_an_error(toml: str, path: str) -> None:
    (problem,) = problems(MINIMAL + toml)

    assert path.rpartition(".")[2] in problem
    assert "under OTOBO's name and under Fieldfare's; keep one" in problem


def test_a_mapping_without_a_value_maps_nothing() -> None:
    settings = Settings(
        tickets={"url": "sqlite://"}, **{"DynamicFieldFromCustomerUser::Mapping": None}
    )

    assert settings.mapping.variables == {}


# -- what is wrong, and what right would be


SOURCE = (
    '[sources.CustomerUser]\nkind = "sql"\ntable = "people"\ncustomer_key = "login"\n'
    'customer_id = "id"\nmap = { UserLogin = "login" }\n'
)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("", ["tickets: is missing"]),
        ("[tickets]\n", ["tickets.url", "is missing", "postgresql+psycopg://"]),
        (MINIMAL + "batch_sise = 5\n", ["tickets.batch_sise", "did you mean batch_size?"]),
        (MINIMAL + "xyzzy = 5\n", ["tickets.xyzzy", "known here: batch_size, customer_groups"]),
        (MINIMAL + "[sweeep]\n", ["sweeep", "did you mean sweep?"]),
        (MINIMAL + 'batch_size = "many"\n', ["tickets.batch_size", "integer", "batch_size = 50"]),
        (MINIMAL + "batch_size = 0\n", ["tickets.batch_size", "greater than or equal to 1"]),
        (MINIMAL + 'time_zone = "Mars/Base"\n', ["tickets.time_zone", "Europe/Berlin"]),
        (MINIMAL + '[log]\nlevel = "loud"\n', ["log.level", "'debug'", 'level = "']),
        (
            MINIMAL + '[tickets.otobo_cache]\nkind = "redis"\n',
            ["tickets.otobo_cache", "needs url", 'url = "redis://otobo:6379/0"'],
        ),
        (
            MINIMAL + '[tickets.otobo_cache]\nkind = "file"\n',
            ["tickets.otobo_cache", "needs directory", "CacheFileStorable"],
        ),
        (
            MINIMAL + '[tickets.customer_groups]\nalways = ["users"]\n',
            ["tickets.customer_groups", "count only with support", "add support = true"],
        ),
        (
            MINIMAL + '[redis]\nurl = "http://h"\n',
            ["redis.url", "redis://, rediss://, unix://", "right: redis://redis.example.org"],
        ),
        (
            MINIMAL + '[tickets.otobo_cache]\nkind = "redis"\nurl = "redis://h:abc/0"\n',
            ["tickets.otobo_cache.url", "host and port cannot be read", "right: redis://redis"],
        ),
        (
            MINIMAL + "[inbox]\nrenew_seconds = 10\n",
            ["inbox", "at most half of claim_seconds", "3 and 15"],
        ),
        (
            MINIMAL + SOURCE.replace('"sql"', '"oracle"'),
            ["sources.CustomerUser.kind", 'must be "sql" or "ldap"', 'kind = "sql"'],
        ),
        (
            MINIMAL + SOURCE.replace('table = "people"\n', ""),
            ["sources.CustomerUser.table", "is missing", 'table = "text"'],
        ),
        (
            MINIMAL + SOURCE + "SearchCaseSensitiv = 1\n",
            ["sources.CustomerUser.SearchCaseSensitiv", "did you mean"],
        ),
        (
            MINIMAL + SOURCE + 'timeout = "long"\n',
            ["sources.CustomerUser.timeout", "number", "timeout = 5.0"],
        ),
        (
            MINIMAL + SOURCE.replace("CustomerUser]", "CustomerUser11]"),
            ["sources.CustomerUser11 does not exist", "CustomerUser10"],
        ),
        (
            MINIMAL + SOURCE.replace('map = { UserLogin = "login" }', 'map = [["UserLogin"]]'),
            ["sources.CustomerUser.map.0", "3 to 10 columns", "this one has 1"],
        ),
        (
            MINIMAL + SOURCE + 'url = "sqlite://"\ndsn = "DBI:Pg:dbname=x"\n',
            ["sources.CustomerUser", "url or dsn, not both"],
        ),
        (
            MINIMAL + '[[mapping.rules]]\nfrom = "A"\n',
            ["mapping.rules.0.to", "is missing", 'to = "CustomerPhone"'],
        ),
        (
            MINIMAL + '[[mapping.rules]]\nfrom = "A"\nto = "F"\n'
            '[[mapping.rules]]\nfrom = "B"\nto = "F"\n',
            ["mapping", "two rules fill the field F"],
        ),
        (
            MINIMAL + '[[mapping.rules]]\nfrom = "A"\nto = "F"\ntransform = ["upcase"]\n',
            ["mapping", "upcase", "upper"],
        ),
        (
            MINIMAL + "[precedence.screens.AgentTicketPhone]\nPhone = 3\n",
            ["precedence.screens.AgentTicketPhone.Phone", "less than or equal to 2"],
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_an_example(toml: str, says: list[str]) -> None:
    (problem,) = problems(toml)

    assert [part for part in says if part not in problem] == [], problem


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://:hunter2@h:port/0", "host and port"),
        ("redis://:hunter2@h:70000/0", "host and port"),
        ("redis://:hunter2@h:0/0", "host and port"),
        ("redis://:hunter2/2@h/0", "host and port"),
        ("redis://:6379#hunter2@h/0", "host and port"),
        ("redis://:hunter2@[h/0", "host and port"),
        ("redis://:hunter2@h/zero", "the number of a database"),
        ("redis://:hunter2@h/0/1", "the number of a database"),
        ("redis://:hunter2@h/0?no_such_option=1", "an option behind ?"),
        ("redis://:hunter2@h/0?socket_timeout=5", "an option behind ?"),
        ("redis://:hunter2@h/0?ssl_ca_certs=x", "an option behind ?"),
        ("rediss://:hunter2@h/0?ssl_ca_crets=x", "an option behind ?"),
        ("rediss://:hunter2@h/0?ssl_cert_reqs=perhaps", "an option behind ?"),
        ("rediss://:hunter2@h/0?hunter2", "an option behind ?"),
        ("unix:///run/redis.sock?db=hunter2", "an option behind ?"),
    ],
)
def test_an_address_of_redis_that_cannot_be_used_is_told_and_not_repeated(
    url: str, says: str
) -> None:
    (problem,) = problems(MINIMAL + f'[redis]\nurl = "{url}"\n')

    assert problem.startswith("redis.url: ")
    assert says in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://u:p%2Fw@h:6380/15",
        "redis://[::1]:6379/0",
        "rediss://h/0?ssl_ca_certs=ca.pem&ssl_cert_reqs=required&ssl_check_hostname=true",
        "unix:///run/redis.sock",
        "unix://u:p@/run/redis.sock?db=2",
    ],
)
def test_an_address_of_redis_that_can_be_used_is_taken(folder: Path, url: str) -> None:
    path = folder / "fieldfare.toml"
    path.write_text(MINIMAL + f'[redis]\nurl = "{url}"\n')

    assert load(path).redis.url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    ["", "hunter2", "u:hunter2@h/d", "mysql://u:hunter2@h:/x", "postgresql://u:hunter2@h:port/x"],
)
def test_an_address_of_the_ticket_database_that_cannot_be_read_is_told_and_not_repeated(
    url: str,
) -> None:
    with pytest.raises((ArgumentError, ValueError)):
        make_url(url)

    (problem,) = problems(f'[tickets]\nurl = "{url}"\n')

    assert problem.startswith("tickets.url: cannot be read; right: postgresql+psycopg://")
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:////var/lib/tickets.sqlite",
        "postgresql+psycopg://u:p:w/?#[@h:5432/db?sslmode=verify-full",
        "mariadb://u@[::1]:3306/db",
        "postgresql:///db?host=/run/postgresql",
    ],
)
def test_an_address_of_the_ticket_database_that_sqlalchemy_takes_is_taken(
    folder: Path, url: str
) -> None:
    path = folder / "fieldfare.toml"
    path.write_text(f'[tickets]\nurl = "{url}"\n')

    assert make_url(load(path).tickets.url.get_secret_value()).drivername


def test_all_mistakes_are_told_at_once() -> None:
    found = problems(MINIMAL + "batch_size = 0\nlock_timeout = -1\n[cache]\nttl = 5\n")

    assert [problem.partition(":")[0] for problem in found] == [
        "tickets.batch_size",
        "tickets.lock_timeout",
        "cache.ttl",
    ]


def test_a_mistake_under_otobos_name_is_told_under_ours() -> None:
    toml = MINIMAL + SOURCE.replace("sources.CustomerUser", "CustomerUser") + 'CacheTTL = "day"\n'

    (problem,) = problems(toml)

    assert problem.startswith("sources.CustomerUser.cache_ttl: ")
    assert "right: cache_ttl = " in problem


def test_a_file_that_is_not_toml_is_told_with_the_line() -> None:
    (problem,) = problems("[tickets]\nurl = hunter2\n")

    assert problem.startswith("not valid TOML: ")
    assert "line 2" in problem
    assert 'right: key = "value"' in problem
    assert "hunter2" not in problem


def test_a_file_that_is_not_utf8_is_told(folder: Path) -> None:
    path = folder / "latin.toml"
    path.write_bytes(b'[tickets]\nurl = "\xfc"\n')

    with pytest.raises(SettingsError, match="byte 17 is not UTF-8"):
        load(path)


def test_a_file_that_does_not_exist_is_told(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml.*\n.*does not exist; examples/"):
        load(folder / "none.toml")


def test_a_file_that_cannot_be_read_is_told(folder: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load(folder)


def test_without_any_file_the_place_says_so() -> None:
    with pytest.raises(SettingsError) as caught:
        load()

    assert caught.value.place == "settings (no file; environment and defaults)"


@pytest.mark.parametrize(
    "toml",
    [
        '[tickets]\nurl = ["hunter2"]\n',
        MINIMAL + 'password = ["hunter2"]\n',
        MINIMAL + "[redis]\nurl = { hunter2 = 1 }\n",
        MINIMAL + '[redis]\nurl = "http://:hunter2@h"\n',
        MINIMAL + SOURCE + 'password = ["hunter2"]\n',
        MINIMAL + SOURCE + 'url = "postgresql://u:hunter2@h/d"\ndsn = "DBI:Pg:dbname=hunter2"\n',
        MINIMAL + '[log]\nlevel = "hunter2"\n',
        MINIMAL + 'batch_size = "hunter2"\n',
    ],
)
def test_no_value_is_repeated(toml: str) -> None:
    assert "hunter2" not in " ".join(problems(toml))


def test_a_variable_that_names_no_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    write(MINIMAL)
    monkeypatch.setenv("FIELDFARE_TICKET__URL", "postgresql://u:hunter2@h/d")

    with pytest.raises(SettingsError) as caught:
        load()

    assert caught.value.place == "environment"
    (problem,) = caught.value.problems
    assert problem.startswith("FIELDFARE_TICKET__URL names no setting")
    assert "FIELDFARE_TICKETS__…" in problem
    assert "hunter2" not in problem


def test_a_variable_that_names_no_key_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    write(MINIMAL)
    monkeypatch.setenv("FIELDFARE_TICKETS__URI", "hunter2")

    with pytest.raises(SettingsError) as caught:
        load()

    (problem,) = caught.value.problems
    assert "tickets.uri: this key does not exist; did you mean" in problem
    assert "hunter2" not in problem


def test_a_variable_that_should_hold_json_and_does_not_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(MINIMAL)
    monkeypatch.setenv("FIELDFARE_MAPPING__VARIABLES", "hunter2")

    with pytest.raises(SettingsError) as caught:
        load()

    assert caught.value.place == "environment"
    (problem,) = caught.value.problems
    assert '"mapping"' in problem
    assert """JSON: FIELDFARE_MAPPING__VARIABLES='{"UserPhone": "CustomerPhone"}'""" in problem
    assert "hunter2" not in problem


# -- the tree


def test_settings_cannot_be_changed() -> None:
    settings = load(write(MINIMAL))

    with pytest.raises(ValidationError):
        settings.tickets.worker_user = "other"
    with pytest.raises(ValidationError):
        settings.cache = settings.cache  # type: ignore[misc]


def test_no_secret_can_be_read_in_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDFARE_REDIS__PASSWORD", "hunter2")
    toml = (
        '[tickets]\nurl = "postgresql://u:hunter2@h/d"\npassword = "hunter2"\n'
        '[redis]\nurl = "redis://:hunter2@h/0"\n'
        '[tickets.otobo_cache]\nkind = "redis"\nurl = "redis://:hunter2@h/0"\n'
        + SOURCE
        + 'url = "postgresql://u:hunter2@h/d"\npassword = "hunter2"\n'
        '[sources.CustomerUser1]\nkind = "ldap"\nhost = "h"\nbase_dn = "dc=x"\n'
        'customer_key = "uid"\ncustomer_id = "o"\nmap = {}\nuser_pw = "hunter2"\n'
    )
    settings = load(write(toml))

    shown = plain(settings)

    assert "hunter2" not in json.dumps(shown, default=str)
    assert "hunter2" not in repr(settings)
    assert shown["tickets"]["url"] == MASK
    assert shown["tickets"]["password"] == MASK
    assert shown["sources"]["CustomerUser"]["password"] == MASK
    assert shown["sources"]["CustomerUser1"]["user_pw"] == MASK
    assert shown["sources"]["CustomerUser1"]["base_dn"] == "dc=x"


def test_sweeps_come_every_minute_every_second_or_as_set() -> None:
    every = [
        load(write(MINIMAL + toml)).sweep.interval
        for toml in ("", '[sweep]\nsource = "history"\n', "[sweep]\nevery = 7\n")
    ]

    assert every == [60.0, 1.0, 7.0]


def test_a_rule_in_the_long_form_reaches_the_ruleset() -> None:
    toml = (
        '[[mapping.rules]]\nfrom = "{UserFirstname} {UserLastname}"\nto = "Name"\n'
        'transform = ["strip", { truncate = 20 }]\ndefault = "-"\non_manual_edit = "keep"\n'
    )

    rule = load(write(MINIMAL + toml)).mapping.ruleset().rules["Name"]

    assert rule.variables == ("UserFirstname", "UserLastname")
    assert (len(rule.transforms), rule.default, rule.on_manual_edit) == (2, "-", "keep")


# -- the schema


def references(here: Any) -> Iterator[str]:
    if isinstance(here, Mapping):
        if isinstance(here.get("$ref"), str):
            yield here["$ref"]
        for value in here.values():
            yield from references(value)
    elif isinstance(here, list):
        for value in here:
            yield from references(value)


def types(here: Any) -> Iterator[str]:
    """Values of the keyword ``type``; a property may have the name, and then is a table."""
    if isinstance(here, Mapping):
        if isinstance(here.get("type"), str):
            yield here["type"]
        for value in here.values():
            yield from types(value)
    elif isinstance(here, list):
        for value in here:
            yield from types(value)


def test_the_json_schema_is_whole() -> None:
    schema = json.loads(json.dumps(Settings.model_json_schema(by_alias=False)))

    assert set(references(schema)) == {f"#/$defs/{name}" for name in schema["$defs"]}
    assert set(types(schema)) <= {
        "array",
        "boolean",
        "integer",
        "null",
        "number",
        "object",
        "string",
    }
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Settings.model_fields)
    assert schema["required"] == ["tickets"]


def test_every_key_of_ours_is_described() -> None:
    schema = Settings.model_json_schema(by_alias=False)
    bare = [
        f"{section}.{key}"
        for section in ("TicketSettings", "RedisSettings", "InboxSettings", "SweepSettings")
        for key, value in schema["$defs"][section]["properties"].items()
        if "description" not in value and "$ref" not in value
    ]

    assert bare == []
