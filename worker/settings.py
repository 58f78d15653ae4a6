"""The settings: one frozen tree, from defaults < TOML < ``.env`` < environment < secret files.

Every key is documented where it is declared; ``fieldfare config schema`` and the settings
reference are generated from here. OTOBO's own names are accepted for what an admin copies from
its configuration: ``[CustomerUser1]``, ``["DynamicFieldFromCustomerUser::Mapping"]``,
``["Ticket::Frontend::AgentTicketPhone###DynamicField"]``.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from directory.breaker import Limits
from directory.config import CompanyConfig, PreferencesConfig, SourceConfig, keyword_keys
from directory.kinds import AnySourceConfig
from directory.model import SLOTS, source_name
from mapping import rules
from mapping.precedence import Precedence
from mapping.rules import Refresh, Ruleset
from worker.otobo_names import accept_otobo_names
from worker.settings_errors import explained, read_toml, refuse_unknown_variables
from worker.variables import CONFIG_VARIABLE, ENV_PREFIX, SECRETS_VARIABLE

DEFAULT_FILES = (Path("fieldfare.toml"), Path("/etc/fieldfare/fieldfare.toml"))
DEFAULT_SECRETS_DIR = Path("/run/secrets")

SECTION = ConfigDict(
    frozen=True,
    extra="forbid",
    populate_by_name=True,
    hide_input_in_errors=True,  # the input may be a password
)

REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_REDIS_EXAMPLE = "redis://redis.example.org:6379/0"
_DATABASE_EXAMPLE = "postgresql+psycopg://fieldfare@db.example.org/otobo"

_OTOBO_CACHE_DIRECTORY = "/opt/otobo/var/tmp/CacheFileStorable"

FieldName = Annotated[str, Field(min_length=1, max_length=191)]
Seconds = Annotated[float, Field(gt=0)]


def _redis_url(value: SecretStr) -> SecretStr:
    """The clients would find out late, and some of them repeat the URL with its password."""
    if problem := _redis_problem(value.get_secret_value()):
        raise ValueError(problem)
    return value


def _redis_problem(url: str) -> str:
    """What is wrong with a URL, without repeating any of it; empty where it can be used."""
    if not url.startswith(REDIS_SCHEMES):
        return f"must begin with {', '.join(REDIS_SCHEMES)}; right: {_REDIS_EXAMPLE}"
    try:
        parts = urlsplit(url)
        misread = bool(parts.fragment) or parts.port == 0
    except ValueError:
        misread = True
    if misread:
        return (
            f"its host and port cannot be read; right: {_REDIS_EXAMPLE}. In a password the signs "
            "/ ? # @ : are written as %2F %3F %23 %40 %3A; better keep it out of the URL"
        )
    if parts.scheme != "unix" and not re.fullmatch("/?[0-9]*", parts.path, re.ASCII):
        return f"behind host and port stands the number of a database; right: {_REDIS_EXAMPLE}"
    if parts.query and not _has_usable_options(url):
        return (
            "an option behind ? is unknown or has no such value; there are those for TLS, "
            "right: rediss://redis.example.org:6379/0?ssl_ca_certs=FILE"
        )
    return ""


def _has_usable_options(url: str) -> bool:
    """Whether a URL has no other options than its clients take, and such values."""
    import redis  # noqa: PLC0415 - takes a moment, and few URLs have any

    parts = urlsplit(url)
    # Celery, which reads the same URL, takes no others.
    options = {"rediss": "ssl_", "unix": "db"}.get(parts.scheme)
    try:
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
        if not all(options and name.startswith(options) for name, _ in given):
            return False
        redis.ConnectionPool.from_url(url).make_connection()  # connects to nobody yet
    except (TypeError, ValueError, redis.RedisError):
        return False
    return True


RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]


def _database_url(value: SecretStr) -> SecretStr:
    """SQLAlchemy says it late, and takes long to import for commands that ask no database."""
    found = _DATABASE_URL.match(value.get_secret_value())
    if found is None or not (found["port"] is None or found["port"].isdecimal()):
        msg = (
            f"cannot be read; right: {_DATABASE_EXAMPLE}. In a password the signs @ and : are "
            "written as %40 and %3A; better keep it out of the URL"
        )
        raise ValueError(msg)
    return value


_DATABASE_URL = re.compile(
    r"[\w+]+://(?:[^:/]*(?::[^@]*)?@)?(?:\[[^/?]+\]|[^/:?]+)?(?::(?P<port>[^/?]*))?"
)
"""Its beginning, as SQLAlchemy reads it."""


class OtoboCacheSettings(BaseModel):
    """Where OTOBO caches tickets and field values; what was written is dropped there."""

    model_config = SECTION

    kind: Literal["none", "redis", "file"] = Field(
        "none", description="OTOBO's Cache::Module: Redis, FileStorable, or none to leave alone."
    )
    url: RedisUrl | None = Field(
        None, description="redis: OTOBO's Cache::Redis server.", examples=["redis://otobo:6379/0"]
    )
    directory: Path | None = Field(
        None,
        description="file: OTOBO's cache folder.",
        examples=["/opt/otobo/var/tmp/CacheFileStorable"],
    )
    subdirectory_levels: int = Field(
        2, ge=0, le=8, description="file: OTOBO's Cache::SubdirLevels."
    )

    @model_validator(mode="after")
    def _complete(self) -> "OtoboCacheSettings":
        if self.kind == "redis" and self.url is None:
            msg = 'kind = "redis" needs url, e.g. url = "redis://otobo:6379/0"'
            raise ValueError(msg)
        if self.kind == "file" and self.directory is None:
            msg = f'kind = "file" needs directory, e.g. directory = "{_OTOBO_CACHE_DIRECTORY}"'
            raise ValueError(msg)
        return self


class CustomerGroupSettings(BaseModel):
    """OTOBO's groups of customer users, for telling permissions where its settings say too little.

    What is not set here is read from the ticket system's configuration, if the database user may
    read its values; what stands in Kernel/Config.pm is not seen there.
    """

    model_config = SECTION

    support: bool | None = Field(
        None, description="CustomerGroupSupport: groups decide; if not, everybody sees them all."
    )
    always: tuple[str, ...] = Field(
        (), description="CustomerGroupAlwaysGroups: groups of every customer user."
    )
    company_always: tuple[str, ...] = Field(
        (),
        description="CustomerGroupCompanyAlwaysGroups: groups of all who belong to a customer.",
    )

    @model_validator(mode="after")
    def _complete(self) -> "CustomerGroupSettings":
        if self.support is None and (self.always or self.company_always):
            msg = "always and company_always count only with support; add support = true"
            raise ValueError(msg)
        return self


class TicketSettings(BaseModel):
    """The ticket system's database, and who writes there."""

    model_config = SECTION

    url: Annotated[SecretStr, AfterValidator(_database_url)] = Field(
        description="SQLAlchemy URL of the ticket system's database.",
        examples=[_DATABASE_EXAMPLE],
    )
    user: str | None = Field(None, description="User, where the URL does not name one.")
    password: SecretStr | None = Field(None, description="Password, kept out of the URL.")
    worker_user: str = Field(
        "fieldfare",
        min_length=1,
        description="Login of the agent that Fieldfare writes as: an agent of its own, so that "
        "its history lines can be told from everybody else's.",
    )
    time_zone: str = Field(
        "UTC", description="Time zone of the times in the database (OTOBOTimeZone)."
    )
    batch_size: int = Field(50, ge=1, le=1000, description="Most tickets of one transaction.")
    statement_timeout: Seconds = Field(5.0, description="Seconds for one statement.")
    lock_timeout: Seconds = Field(2.0, description="Seconds to wait for a row lock.")
    otobo_cache: OtoboCacheSettings = Field(default_factory=OtoboCacheSettings)
    customer_groups: CustomerGroupSettings = Field(default_factory=CustomerGroupSettings)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            msg = f"{value!r} is not a time zone; right: UTC, Europe/Berlin"
            raise ValueError(msg) from error
        return value


class RedisSettings(BaseModel):
    """Redis or Valkey: the inbox, the shared cache and Celery's queues."""

    model_config = SECTION

    url: RedisUrl = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="Where it listens; rediss:// for TLS, with ?ssl_ca_certs=FILE for a CA file.",
        examples=["redis://redis.example.org:6379/0"],
    )
    username: str | None = Field(None, description="User, where the URL does not name one.")
    password: SecretStr | None = Field(None, description="Password, kept out of the URL.")


class CacheSettings(BaseModel):
    """How long answers of sources outside the ticket database are kept (deviation D26)."""

    model_config = SECTION

    ttl_max: int = Field(300, ge=0, description="Seconds; caps every source's cache_ttl.")
    negative_ttl: int = Field(30, ge=0, description="Seconds an absent login is remembered.")


class RuleSettings(BaseModel):
    """A mapping rule in its long form."""

    model_config = ConfigDict(**SECTION, json_schema_extra=keyword_keys)

    from_: str = Field(
        alias="from",
        min_length=1,
        description="A variable, or a template over several.",
        examples=["UserPhone", "{UserFirstname} {UserLastname}"],
    )
    to: FieldName = Field(description="The ticket's dynamic field.", examples=["CustomerPhone"])
    transform: tuple[str | Mapping[str, Any], ...] = Field(
        (), description="Named transforms, in order.", examples=[["strip", {"truncate": 20}]]
    )
    default: str | None = Field(None, description="Stands in where the customer user has no value.")
    on_manual_edit: Literal["overwrite", "keep"] = Field(
        "overwrite",
        description="Whether an event that leaves the customer user as it is writes over what "
        "somebody typed since (deviation D16).",
    )
    refresh: Refresh | None = Field(
        None, description="Instead of mapping.refresh, for this field alone."
    )


class BreakerSettings(BaseModel):
    """When workers stop to ask a source that does not answer, and how often they look after it."""

    model_config = SECTION

    failures: int = Field(
        3,
        ge=1,
        le=100,
        description="So many failures in a row, of all workers together, and nobody asks the "
        "source any more until a probe was answered. One that took over a second counts twice.",
    )
    window: Seconds = Field(
        60.0, description="Seconds after which a failure is no longer in a row with the next."
    )
    longest_pause: Seconds = Field(
        15.0, le=30, description="Most seconds between two probes of a source."
    )

    def limits(self) -> Limits:
        """The same for circuits."""
        return Limits(self.failures, self.window, self.longest_pause)


class MappingSettings(BaseModel):
    """Which variable of the customer user goes into which dynamic field of the ticket."""

    model_config = SECTION

    variables: Mapping[str, FieldName] = Field(
        default_factory=dict,
        description="variable = field, as in DynamicFieldFromCustomerUser::Mapping.",
        examples=[{"UserFirstname": "CustomerFirstname"}],
    )
    rules: tuple[RuleSettings, ...] = Field((), description="The long form.")
    overlong: Literal["cut", "keep"] = Field(
        "cut", description="A text over 3800 characters is cut, or the field kept (D15)."
    )
    refresh: Refresh = Field(
        "never",
        description="Which tickets follow when the data of their customer user or customer change: "
        "open ones, all, or none, as in OTOBO.",
    )

    def ruleset(self) -> Ruleset:
        """The rules.

        Raises:
            MappingError: a rule is wrong, or two rules fill one field.
        """
        long = [
            rule.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
            for rule in self.rules
        ]
        return rules.build(self.variables, long, overlong=self.overlong, refresh=self.refresh)

    @model_validator(mode="after")
    def _can_be_built(self) -> "MappingSettings":
        self.ruleset()
        return self


class PrecedenceSettings(BaseModel):
    """When the frontend's value wins over the directory's."""

    model_config = SECTION

    enabled: bool = Field(
        True,
        description="false: the directory wins over what the same request submitted, as in OTOBO "
        "with Transaction 1.",
    )
    unknown_frontend: Literal["keep", "write"] = Field(
        "keep",
        description="When no screen can be told: a field enabled on any creating screen is kept, "
        "or written.",
    )
    screens: Mapping[str, Mapping[str, Annotated[int, Field(ge=0, le=2)]]] = Field(
        default_factory=dict,
        description="Ticket::Frontend::<Screen>###DynamicField: 0 off, 1 enabled, 2 required.",
        examples=[{"AgentTicketPhone": {"CustomerPhone": 1}}],
    )
    screen_by_history_type: Mapping[str, str] = Field(
        default_factory=dict,
        description="More history types of first articles that tell the screen; the shipped ones "
        "are known.",
        examples=[{"PhoneCallCustomer": "AgentTicketPhone"}],
    )

    def of(self, worker_user_id: int) -> Precedence:
        """The same for planning, with the id of the worker's user."""
        return Precedence(
            worker_user_id=worker_user_id,
            enabled=self.enabled,
            unknown_frontend=self.unknown_frontend,
            screens=self.screens,
            screen_by_history_type=self.screen_by_history_type,
        )


class InboxSettings(BaseModel):
    """How events are read from the inbox (design section 2)."""

    model_config = SECTION

    batch: int = Field(200, ge=1, le=2000, description="Most events of one batch.")
    drain_seconds: Seconds = Field(2.0, description="A drain returns and rings again after this.")
    renew_seconds: Seconds = Field(3.0, description="How often a consumer renews what it holds.")
    claim_seconds: Seconds = Field(
        15.0, description="What was not renewed for so long is taken over by another consumer."
    )
    max_attempts: int = Field(5, ge=1, le=100, description="Tries before an event is parked.")
    max_conflicts: int = Field(
        5, ge=1, le=100, description="Plans made anew before a ticket goes back to the inbox."
    )

    @model_validator(mode="after")
    def _renews_in_time(self) -> "InboxSettings":
        if self.renew_seconds * 2 > self.claim_seconds:
            msg = "renew_seconds must be at most half of claim_seconds, e.g. 3 and 15"
            raise ValueError(msg)
        return self


class ErasureSettings(BaseModel):
    """How many fields a run of events may empty; what is beyond both numbers stops writing."""

    model_config = SECTION

    enabled: bool = Field(True, description="false: nothing is stopped for being emptied.")
    number: int = Field(200, ge=0, description="So many fields are never too many.")
    share: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="So much of the fields with a value that the worker decided on is never too "
        "much: 0.5 is half of them.",
    )


class ChangeSettings(BaseModel):
    """How many fields a run of events may give another value; the same for changes."""

    model_config = SECTION

    enabled: bool = Field(
        False, description="true: too many fields with another value stop writing, too."
    )
    number: int = Field(1000, ge=0, description="So many fields are never too many.")
    share: float = Field(
        0.9, ge=0, lt=1, description="So much of the fields with a value is never too much."
    )


class GuardSettings(BaseModel):
    """The guard against mass changes: what a run of events may take away before somebody looks."""

    model_config = SECTION

    window: int = Field(
        3600, ge=60, le=7 * 24 * 3600, description="Seconds that are counted together."
    )
    erasures: ErasureSettings = Field(default_factory=ErasureSettings)
    changes: ChangeSettings = Field(default_factory=ChangeSettings)

    @property
    def enabled(self) -> bool:
        """Whether anything is counted."""
        return self.erasures.enabled or self.changes.enabled


class SweepSettings(BaseModel):
    """The ticket history as a source of events: a safety net, or the only source."""

    model_config = SECTION

    source: Literal["inbox", "history"] = Field(
        "inbox",
        description="inbox: producers emit events and the sweep finds what was lost; history: "
        "nobody emits, the sweep finds everything.",
    )
    every: Seconds | None = Field(
        None, description="Seconds between sweeps; unset: 60, or 1 with source = history."
    )
    look_back: Annotated[int, Field(ge=60)] = Field(
        7 * 24 * 3600, description="Seconds of history that are looked at again."
    )
    settle: Seconds = Field(
        2.0, description="A ticket is taken up when its newest line is older than this."
    )
    limit: int = Field(
        5000, ge=1, le=20000, description="Most history lines that a sweep reads at once."
    )

    @property
    def interval(self) -> float:
        """Seconds between two sweeps."""
        if self.every is not None:
            return self.every
        return 1.0 if self.source == "history" else 60.0


class WatchSettings(BaseModel):
    """How often sources are asked whose data changed; those with ``watch`` set."""

    model_config = SECTION

    every: Seconds = Field(300.0, description="Seconds between two questions to each source.")


class ResyncSettings(BaseModel):
    """How old tickets are filled by ``fieldfare resync``, beside the events."""

    model_config = SECTION

    chunk: int = Field(500, ge=1, le=2000, description="Tickets that are looked up together.")
    tickets_per_second: float = Field(
        0.0,
        ge=0,
        description="Most tickets that a job works on in a second, where nobody said so when it "
        "was started; 0 is as many as there can be.",
    )
    max_inbox: int = Field(
        0,
        ge=0,
        description="Events go first: jobs rest while more of them than this are in the inbox.",
    )
    wait_for_source: float = Field(
        3600.0,
        ge=0,
        description="So many seconds a job waits for a source that does not answer and that most "
        "tickets need. Then, or with 0 at once, it lists them for another run and goes on.",
    )
    work_seconds: Seconds = Field(
        2.0, le=10, description="A worker turns to the next job after this."
    )
    history: bool = Field(
        True,
        description="false: resyncs write values without a line in the ticket's history. Then "
        "nobody can tell later who wrote them, nor what stood there before; the sweep looks at "
        "these tickets once more; after a worker was killed, OTOBO can show old values for "
        "hours; and a field that a screen empties in the very moment keeps our value.",
    )


class HealthSettings(BaseModel):
    """The files by which ``fieldfare health`` sees who is alive on this machine."""

    model_config = SECTION

    directory: Path | None = Field(
        None,
        description="Folder in which each worker and scheduler touches a file of its own every ten "
        "seconds; unset: fieldfare-<user id> where temporary files are.",
        examples=["/run/fieldfare"],
    )
    max_age: Seconds = Field(
        60.0, description="Seconds after which who gave no sign of life is not well."
    )


class MetricsSettings(BaseModel):
    """Where each ticket worker serves its metrics, in the form that Prometheus reads."""

    model_config = SECTION

    port: int = Field(
        0,
        ge=0,
        le=65535,
        description="TCP port; 0 serves and counts nothing. Workers on one machine need one each.",
        examples=[9464],
    )
    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address to listen on; 0.0.0.0 or :: for other machines, where nobody else can "
        "reach it.",
    )


class TracingSettings(BaseModel):
    """Spans for OpenTelemetry; the standard variables (OTEL_…) say where they go."""

    model_config = SECTION

    enabled: bool = Field(
        False,
        description="Whether ticket workers and fieldfare emit trace; needs the extra otel.",
    )


class ForgetSettings(BaseModel):
    """What ``fieldfare forget`` leaves in the fields of tickets, for reports that need it."""

    model_config = SECTION

    keep: tuple[FieldName, ...] = Field(
        (),
        description="Dynamic fields that it leaves alone, with their history lines: what tells "
        "nobody who it was.",
        examples=[["CustomerCountry"]],
    )
    placeholder: Mapping[FieldName, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Dynamic fields in which this text takes the place of the value; all others "
        "are emptied.",
        examples=[{"CustomerName": "(erased)"}],
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "ForgetSettings":
        if both := sorted({*self.keep} & {*self.placeholder}):
            msg = f"{both[0]} stands in keep and in placeholder; leave it out of one"
            raise ValueError(msg)
        return self


class AuditSettings(BaseModel):
    """Who asked for what, by admin calls: lines in Redis, see ``fieldfare audit``."""

    model_config = SECTION

    lines: int = Field(
        10_000, ge=1, le=1_000_000, description="So many lines are kept, the newest."
    )


class LogSettings(BaseModel):
    """Logs go to standard error, one line for each handled event."""

    model_config = SECTION

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is less than this is not logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, JSON elsewhere."
    )


class Settings(BaseSettings):
    """Everything that can be set. Unknown keys are errors."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        hide_input_in_errors=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        dotenv_filtering="match_prefix",  # Docker Compose and others keep theirs there as well
        secrets_nested_delimiter="__",
        secrets_prefix="",
        secrets_dir_missing="ok",
    )

    tickets: TicketSettings = Field(
        examples=[{"url": "postgresql+psycopg://fieldfare@db.example.org/otobo"}]
    )
    redis: RedisSettings = Field(default_factory=RedisSettings)
    sources: Mapping[str, AnySourceConfig] = Field(
        default_factory=dict,
        description="The customer user sources by OTOBO's names: CustomerUser is asked first, "
        "then CustomerUser1 … CustomerUser10.",
    )
    companies: Mapping[str, CompanyConfig] = Field(
        default_factory=lambda: {"CustomerCompany": CompanyConfig()},
        description="Where customers (companies) are kept: CustomerCompany, CustomerCompany1 …",
    )
    preferences: PreferencesConfig = Field(default_factory=PreferencesConfig)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    breaker: BreakerSettings = Field(default_factory=BreakerSettings)
    mapping: MappingSettings = Field(default_factory=MappingSettings)
    precedence: PrecedenceSettings = Field(default_factory=PrecedenceSettings)
    inbox: InboxSettings = Field(default_factory=InboxSettings)
    guard: GuardSettings = Field(default_factory=GuardSettings)
    sweep: SweepSettings = Field(default_factory=SweepSettings)
    watch: WatchSettings = Field(default_factory=WatchSettings)
    resync: ResyncSettings = Field(default_factory=ResyncSettings)
    health: HealthSettings = Field(default_factory=HealthSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    forget: ForgetSettings = Field(default_factory=ForgetSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    @model_validator(mode="before")
    @classmethod
    def _accept_otobo_names(cls, data: Any) -> Any:
        return accept_otobo_names(data) if isinstance(data, Mapping) else data

    def source(self, slot: str) -> SourceConfig:
        """The source in a slot."""
        return self.sources[source_name(slot)]

    def source_configs(self) -> tuple[SourceConfig, ...]:
        """The sources in the order in which they are asked."""
        return tuple(sorted(self.sources.values(), key=lambda source: SLOTS.index(source.slot)))

    def lookup_seconds(self) -> float:
        """How long all sources together may take to answer."""
        return sum(source.timeout for source in self.sources.values())

    def company_configs(self) -> tuple[CompanyConfig, ...]:
        """The company sources in the order in which they are asked."""
        return tuple(sorted(self.companies.values(), key=lambda company: SLOTS.index(company.slot)))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Highest first. The TOML file comes in as init arguments, so it goes last."""
        return (
            NestedSecretsSettingsSource(file_secret_settings),
            env_settings,
            dotenv_settings,
            init_settings,
        )


def load(
    config: Path | None = None,
    *,
    env_file: Path | None = Path(".env"),
    secrets_dir: Path | None = None,
) -> Settings:
    """Read the settings from all their places.

    Args:
        config: the TOML file; else ``$FIELDFARE_CONFIG``, else ``./fieldfare.toml``, else
            ``/etc/fieldfare/fieldfare.toml``, where they exist.
        env_file: a file of environment variables; it may be missing.
        secrets_dir: a folder with a file for each secret, e.g. ``tickets__password``; else
            ``$FIELDFARE_SECRETS_DIR``, else ``/run/secrets``.

    Raises:
        SettingsError: with file, key path, what is wrong, and what right would look like.
    """
    path = find_file(config)
    refuse_unknown_variables(Settings)
    secrets = secrets_dir or Path(os.environ.get(SECRETS_VARIABLE) or DEFAULT_SECRETS_DIR)
    with explained(path, Settings):
        return Settings(
            _env_file=env_file,
            _secrets_dir=secrets,
            **(read_toml(path) if path else {}),
        )


def find_file(config: Path | None = None) -> Path | None:
    """The settings file that ``load`` reads, or None where there is none."""
    if config is not None:
        return config
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named)
    return next((path for path in DEFAULT_FILES if path.is_file()), None)
