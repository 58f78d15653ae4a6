"""Packages add kinds of source; what is wrong with one is said with its name."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from directory import kinds
from directory.config import SourceConfig
from directory.errors import SourceKindUnusable, SourceMisconfigured
from directory.model import Unavailable
from worker import cli
from worker.render import MASK, masked
from worker.settings import Settings, load
from worker.settings_errors import SettingsError

MODULE = '''
from typing import Literal
from pydantic import Field, SecretStr, field_validator
from directory.config import SourceConfig
from directory.errors import SourceMisconfigured
from directory.kinds import Kind

class Config(SourceConfig):
    """A customer user source in a service."""
    kind: Literal["service"] = "service"
    address: str = Field(description="Where.", examples=["https://people.example.org"])
    pages: int = Field(10, ge=1, description="Pages.")
    token: SecretStr | None = Field(None, description="Password.")

    @field_validator("address")
    @classmethod
    def _address(cls, value):
        if value == "broken":
            raise RuntimeError("hunter2")
        return value

class Source:
    def __init__(self, config):
        if config.address == "never":
            raise SourceMisconfigured(config.slot, "address leads nowhere")
        if config.address == "bug":
            raise RuntimeError("hunter2")
        self.config = config

KIND = Kind(Config, Source)
'''

COMMON = 'customer_key = "login"\ncustomer_id = "customer"\nmap = { UserLogin = "login" }\n'
SERVICE = f'[sources.CustomerUser3]\nkind = "service"\n{COMMON}'
RIGHT = SERVICE + 'address = "https://people.example.org"\n'

Package = Callable[..., None]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Installs packages that add kinds; they are gone afterwards."""
    known = set(sys.modules)

    def install(name: str = "fieldfare-service", module: str = MODULE, **points: str) -> None:
        folder = tmp_path / name
        metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{kind} = {value}\n" for kind, value in points.items()]
        (metadata / "entry_points.txt").write_text("".join(["[fieldfare.sources]\n", *lines]))
        (folder / f"added_{name.rpartition('-')[2]}.py").write_text(module)
        monkeypatch.syspath_prepend(folder)

    yield install
    for name in set(sys.modules) - known:
        if name.startswith("added_"):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def settings_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Settings]:
    """Loads settings with these sources, as a command would."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "fieldfare.toml"

    def of(toml: str) -> Settings:
        file.write_text(f'[tickets]\nurl = "sqlite:///tickets.sqlite"\n{toml}')
        return load(file)

    return of


SettingsOf = Callable[[str], Settings]


def problem(settings_of: SettingsOf, toml: str) -> str:
    with pytest.raises(SettingsError) as caught:
        settings_of(toml)
    assert caught.value.place.endswith("fieldfare.toml")
    (only,) = caught.value.problems
    return only


def test_a_source_of_an_added_kind_has_common_options_and_its_own(
    package: Package, settings_of: SettingsOf
) -> None:
    package(service="added_service:KIND")

    config: Any = settings_of(RIGHT + "cache_ttl = 60\n").source("3")

    assert (config.kind, config.slot, config.address) == (
        "service",
        "3",
        "https://people.example.org",
    )
    assert (config.pages, config.cache_ttl, config.on_unavailable) == (10, 60, "wait")
    assert config.storages == {"UserLogin": "login"}


def test_an_option_that_is_secret_comes_from_a_variable_and_is_shown_nowhere(
    package: Package, settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(service="added_service:KIND")
    monkeypatch.setenv("FIELDFARE_SOURCES__CUSTOMERUSER3__TOKEN", "hunter2")

    settings = settings_of(RIGHT)

    config: Any = settings.source("3")
    assert config.token.get_secret_value() == "hunter2"
    shown = masked(settings)["sources"]["CustomerUser3"]
    assert (shown["kind"], shown["token"], shown["pages"]) == ("service", MASK, 10)
    assert "hunter2" not in repr(settings) + json.dumps(shown, default=str)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (
            SERVICE,
            'sources.CustomerUser3.address: is missing; right: address = "https://people.example.org"',
        ),
        (
            RIGHT + "adress = 1\n",
            "sources.CustomerUser3.adress: this key does not exist; did you mean address?",
        ),
        (
            RIGHT + "pages = 0\n",
            (
                "sources.CustomerUser3.pages: Input should be greater than or equal to 1; "
                "right: pages = 10"
            ),
        ),
        (
            RIGHT + "CacheTTL = -1\n",
            (
                "sources.CustomerUser3.cache_ttl: Input should be greater than or equal to 0; "
                "right: cache_ttl = 0"
            ),
        ),
        (
            SERVICE + 'address = "broken"\n',
            (
                'sources.CustomerUser3: kind "service": fieldfare-service could not check its '
                "options: RuntimeError"
            ),
        ),
        (
            RIGHT.replace('"service"', '"servise"'),
            (
                'sources.CustomerUser3.kind: must be "sql", "ldap" or "service" (of '
                'fieldfare-service), or what a package adds that is installed; right: kind = "sql"'
            ),
        ),
    ],
)
def test_a_wrong_option_of_an_added_kind_is_told_with_its_place_and_an_example(
    package: Package, settings_of: SettingsOf, toml: str, says: str
) -> None:
    package(service="added_service:KIND")

    assert problem(settings_of, toml) == says


def test_only_the_keys_of_its_kind_are_offered_for_a_source(
    package: Package, settings_of: SettingsOf
) -> None:
    package(service="added_service:KIND")

    told = problem(settings_of, RIGHT + "xyzzy = 1\n")

    assert "known here: address, " in told
    assert "base_dn" not in told
    assert "table" not in told


def test_the_code_of_a_kind_that_is_not_configured_is_not_imported(
    package: Package, settings_of: SettingsOf
) -> None:
    package(module="raise AssertionError", service="added_service:KIND")

    settings = settings_of(f'[sources.CustomerUser]\nkind = "sql"\ntable = "t"\n{COMMON}')

    assert settings.source("").kind == "sql"
    assert "added_service" not in sys.modules


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (
            "import no_such_module",
            (
                "added_service:KIND of fieldfare-service cannot be imported: ModuleNotFoundError: "
                "No module named 'no_such_module'"
            ),
        ),
        (
            "OTHER = 1",
            (
                "added_service:KIND of fieldfare-service cannot be imported: AttributeError: "
                "module 'added_service' has no attribute 'KIND'"
            ),
        ),
        (
            'raise RuntimeError("hunter2")',
            "added_service:KIND of fieldfare-service cannot be imported: RuntimeError",
        ),
        (
            "KIND = dict",
            (
                "what fieldfare-service adds as added_service:KIND cannot be used: it is a type; "
                "right: KIND = Kind(config, build)"
            ),
        ),
        (
            "from directory.kinds import Kind\nKIND = Kind(dict, dict)",
            (
                "what fieldfare-service adds as added_service:KIND cannot be used: its config is "
                "not a subclass of directory.config.SourceConfig"
            ),
        ),
        (
            MODULE.replace('"service"', '"other"'),
            (
                "what fieldfare-service adds as added_service:KIND cannot be used: Config must "
                'declare its kind; right: kind: Literal["service"] = "service"'
            ),
        ),
    ],
)
def test_a_package_that_cannot_be_used_is_named(
    package: Package, settings_of: SettingsOf, module: str, says: str
) -> None:
    package(module=module, service="added_service:KIND")

    assert problem(settings_of, RIGHT) == f'sources.CustomerUser3: kind "service": {says}'


def test_two_packages_with_one_kind_are_both_named(
    package: Package, settings_of: SettingsOf
) -> None:
    package(service="added_service:KIND")
    package("acme-people", service="added_people:KIND")

    assert problem(settings_of, RIGHT) == (
        'sources.CustomerUser3: kind "service": acme-people and fieldfare-service each have a '
        "kind of this name; uninstall one of the packages"
    )


def test_a_package_with_a_kind_of_ours_is_named(package: Package, settings_of: SettingsOf) -> None:
    package("acme-people", sql="added_people:KIND")

    assert problem(settings_of, f'[sources.CustomerUser]\nkind = "sql"\n{COMMON}') == (
        'sources.CustomerUser: kind "sql": acme-people and Fieldfare itself each have a kind of '
        "this name; uninstall one of the packages"
    )


def test_a_source_that_can_never_work_or_cannot_be_built_is_told(
    package: Package, settings_of: SettingsOf
) -> None:
    package(service="added_service:KIND")

    def told(address: str) -> str:
        with pytest.raises(SourceMisconfigured) as caught:
            kinds.build(settings_of(f'{SERVICE}address = "{address}"\n').source("3"))
        return str(caught.value)

    assert told("never") == "source CustomerUser3: address leads nowhere"
    assert told("bug") == (
        "source CustomerUser3: fieldfare-service could not build it: RuntimeError"
    )


def test_what_an_added_source_lacks_is_no_answer(package: Package, settings_of: SettingsOf) -> None:
    package(service="added_service:KIND")

    source = kinds.build(settings_of(RIGHT).source("3"))

    assert source.find(["jdoe"]) == {"jdoe": Unavailable("3", "AttributeError")}


@pytest.mark.parametrize("kind", ["sql", "ldap", "service"])
def test_the_schema_of_a_kind_is_printed(package: Package, kind: str) -> None:
    package(service="added_service:KIND")

    ran = CliRunner().invoke(cli.app, ["config", "schema", "--source", kind])

    assert ran.exit_code == 0
    schema = json.loads(ran.stdout)
    assert schema["properties"]["kind"]["const"] == kind
    assert {"map", "customer_key", "cache_ttl"} <= schema["properties"].keys()


def test_the_schema_of_a_kind_that_nobody_has_ends_with_two() -> None:
    ran = CliRunner().invoke(cli.app, ["config", "schema", "--source", "gopher"])

    assert (ran.exit_code, ran.stdout) == (2, "")
    assert 'kind "gopher": there is no such kind; there are "sql", "ldap", and' in ran.stderr


def test_the_schema_of_the_settings_lets_other_kinds_have_options_of_their_own() -> None:
    added = Settings.model_json_schema(by_alias=False)["$defs"]["AddedSourceConfig"]

    assert added["additionalProperties"] is True
    assert added["properties"]["kind"]["not"] == {"enum": ["sql", "ldap"]}
    assert set(SourceConfig.model_fields) == added["properties"].keys()


def test_a_kind_that_was_uninstalled_since_is_told(settings_of: SettingsOf) -> None:
    with pytest.raises(SourceKindUnusable, match=r'kind "service": there is no such kind'):
        kinds.load("service")
