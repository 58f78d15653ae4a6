"""How a customer user source is described, in snake_case or under OTOBO's own option names.

A block copied from ``Kernel/Config.pm`` and written as JSON or TOML is accepted as it is: nested
``Params`` are lifted to the top, ``Module`` names the kind, the Map may have its ten columns.
The options and their defaults follow the admin manual's chapter "Customer User Back Ends".
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args, get_origin

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from directory.durations import Duration
from directory.model import SLOTS, source_name

STRICT = ConfigDict(
    frozen=True,
    extra="forbid",
    populate_by_name=True,
    hide_input_in_errors=True,  # the input may be a password
)

MAP_COLUMNS = (
    "variable",
    "label",
    "storage",
    "shown",
    "required",
    "storage_type",
    "http_link",
    "readonly",
    "http_link_target",
    "link_class",
)
"""The ten columns of a Map row, in the manual's order."""

_SOURCE_MODULE = re.compile(r"Kernel::System::CustomerUser::(\w+)")
_KINDS = {"DB": "sql", "LDAP": "ldap"}

MAX_STALE = 90 * 24 * 3600
"""Seconds."""

PasswordForm: TypeAlias = Literal[
    "bcrypt", "sha512", "sha2", "sha1", "md5", "apr1", "crypt", "plain"
]
"""Forms of stored passwords, under the names of OTOBO's ``CryptType``."""

IGNORED_OPTIONS = frozenset({"Module", "module", "CompanyConfig"})
"""Options of OTOBO that say nothing once the kind of source is known."""


def _option(default: Any, *otobo: str, description: str, **more: Any) -> Any:
    """A field that is also accepted under OTOBO's option names."""
    return Field(default, validation_alias=AliasChoices(*otobo), description=description, **more)


def _false_as_none(value: Any) -> Any:
    """Perl configurations write "not set" as an empty string."""
    return None if value == "" else value


def _empty_as_zero(value: Any) -> Any:
    """Perl configurations write "off" as an empty string or undef."""
    return 0 if value in ("", None) else value


def keyword_keys(schema: dict[str, Any]) -> None:
    """In the JSON Schema, name keys like ``async_``, which is a keyword of Python, as people do."""
    schema["properties"] = {
        name.removesuffix("_"): found for name, found in schema["properties"].items()
    }
    if "required" in schema:
        schema["required"] = [name.removesuffix("_") for name in schema["required"]]


def _digits_as_number(value: Any) -> Any:
    """Perl tells numbers from texts no more than an environment variable does."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _unfolded(model: type[BaseModel], data: Any) -> Any:
    """Lists and tables that are JSON texts, as an environment variable has to hold them."""
    if not isinstance(data, Mapping):
        return data
    return {
        key: _from_json(value)
        if isinstance(value, str) and key in model.model_fields and _holds_many(model, key)
        else value
        for key, value in data.items()
    }


def _holds_many(model: type[BaseModel], key: str) -> bool:
    annotation = model.model_fields[key].annotation
    origins = {get_origin(one) for one in (annotation, *get_args(annotation))}
    return any(isinstance(one, type) and issubclass(one, tuple | Mapping) for one in origins)


def _from_json(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, list | dict) else text


Flag = Annotated[bool, BeforeValidator(_empty_as_zero)]
OptionalText = Annotated[str | None, BeforeValidator(_false_as_none)]


class MapEntry(BaseModel):
    """One row of a source's Map: where a variable's value comes from, and how it is shown."""

    model_config = STRICT

    variable: str = Field(min_length=1, description="The variable's name, e.g. UserFirstname.")
    storage: str = Field(min_length=1, description="Column, LDAP attribute or dynamic field.")
    label: str | None = Field(None, description="Text in OTOBO's screens.")
    shown: int = Field(0, description="1 always, 2 lite (OTOBO's screens).")
    required: Flag = Field(False, description="Must have a value when a customer user is written.")
    storage_type: Literal["var", "int", "dynamic_field"] = Field(
        "var", description="var, int, or dynamic_field: a dynamic field of the customer user."
    )
    http_link: str | None = None
    readonly: Flag = Field(False, description="Never written by an update.")
    http_link_target: str | None = None
    link_class: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_row(cls, data: Any) -> Any:
        if isinstance(data, list | tuple):
            if not 3 <= len(data) <= len(MAP_COLUMNS):  # noqa: PLR2004 - the first three are needed
                msg = (
                    f"a Map row has 3 to 10 columns ({', '.join(MAP_COLUMNS)}), this one has "
                    f"{len(data)}; right: "
                    '["UserRoom", "Room", "room", 0, 1, "var", "", 0]'
                )
                raise ValueError(msg)
            data = dict(zip(MAP_COLUMNS, data, strict=False))
        if isinstance(data, Mapping):
            # OTOBO treats every storage type but int and dynamic_field as text (CUDB:1422).
            kind = str(data.get("storage_type") or "var").lower()
            data = {
                **data,
                "storage_type": kind if kind in {"int", "dynamic_field"} else "var",
                "shown": data.get("shown") or 0,
            }
        return data


def _map_entries(value: Any) -> Any:
    """The short form ``{UserFirstname = "first_name"}`` becomes rows."""
    if isinstance(value, Mapping):
        return [
            {"variable": variable, **(entry if isinstance(entry, Mapping) else {"storage": entry})}
            for variable, entry in value.items()
        ]
    return value


SourceMap = Annotated[
    tuple[MapEntry, ...],
    BeforeValidator(
        _map_entries,
        json_schema_input_type=dict[str, str | dict[str, Any]] | list[MapEntry | list[Any]],
    ),
]


class TlsConfig(BaseModel):
    """How a connection to an LDAP server is protected; verification is on by default (D11)."""

    model_config = STRICT

    start_tls: bool = Field(False, description="Switch to TLS on the plain port before binding.")
    verify: bool = Field(True, description="Check the server's certificate and name.")
    ca_file: str | None = Field(None, description="PEM file of the authorities to trust.")
    cert_file: str | None = Field(None, description="PEM file of the client's certificate.")
    key_file: str | None = Field(None, description="PEM file of the client's key.")


class DatabaseConfig(BaseModel):
    """Where a table stands: the ticket system's own database unless a URL or DSN is given."""

    model_config = STRICT

    url: SecretStr | None = Field(
        None, description="SQLAlchemy URL, e.g. postgresql+psycopg://reader@host/customers."
    )
    dsn: OptionalText = _option(
        None, "DSN", description="OTOBO's form: DBI:mysql:database=customers;host=db.example.org."
    )
    user: OptionalText = _option(None, "User", description="User for the DSN or the URL.")
    password: SecretStr | None = _option(
        None, "Password", description="Password for the DSN or the URL."
    )
    type: OptionalText = _option(
        None, "Type", description="What stands behind an ODBC DSN: mssql, mysql, postgresql …"
    )
    table: str = _option(..., "Table", description="The table's name.")
    foreign_db: Flag = _option(
        False, "ForeignDB", description="The table has no create_/change_ time and user columns."
    )
    case_sensitive: Flag | None = _option(
        None, "CaseSensitive", description="Whether keys are compared with case."
    )
    search_case_sensitive: Flag | None = _option(
        None, "SearchCaseSensitive", description="The same, and it wins over case_sensitive."
    )
    timeout: float = Field(
        5.0, gt=0, le=600, description="Seconds for one statement, connecting included."
    )

    @property
    def compares_case(self) -> bool:
        """Whether logins differ by case: SearchCaseSensitive, else CaseSensitive, else no."""
        if self.search_case_sensitive is not None:
            return self.search_case_sensitive
        return bool(self.case_sensitive)

    @property
    def in_ticket_database(self) -> bool:
        """Whether the table stands in the ticket system's own database."""
        return self.url is None and self.dsn is None

    @model_validator(mode="before")
    @classmethod
    def _lift_params(cls, data: Any) -> Any:
        return _unfolded(cls, lift_params(data))

    @model_validator(mode="after")
    def _one_address(self) -> "DatabaseConfig":
        if self.url is not None and self.dsn is not None:
            msg = "give url or dsn, not both"
            raise ValueError(msg)
        return self


class SourceConfig(BaseModel):
    """What every kind of customer user source has in common."""

    model_config = STRICT

    default_list_fields: ClassVar[tuple[str, ...]] = ()
    default_name_fields: ClassVar[tuple[str, ...]] = ()

    kind: str = Field(description="What kind of source it is: sql, ldap, or what a package adds.")
    slot: str = Field("", description='Place in the order: "", "1" … "10".')
    name: str = _option("", "Name", description="A name for people.")
    customer_key: str = _option(
        ..., "CustomerKey", "Key", description="Column or attribute that holds the login."
    )
    customer_id: str = _option(
        ..., "CustomerID", description="Column or attribute that holds the customer id."
    )
    map: SourceMap = _option(..., "Map", description="Which variable comes from where.")
    customer_user_list_fields: tuple[str, ...] | None = _option(
        None, "CustomerUserListFields", description="Columns of UserMailString, the email last."
    )
    customer_user_name_fields: tuple[str, ...] | None = _option(
        None, "CustomerUserNameFields", description="Columns of UserFullname."
    )
    customer_user_name_fields_join: str = _option(
        " ", "CustomerUserNameFieldsJoin", description="What joins the parts of UserFullname."
    )
    customer_company_support: Flag = _option(
        False, "CustomerCompanySupport", description="Add the data of the customer (company)."
    )
    cache_ttl: Annotated[int, BeforeValidator(_empty_as_zero)] = _option(
        0, "CacheTTL", ge=0, description="Seconds an answer is cached; 0 = no cache."
    )
    timeout: float = Field(
        5.0, gt=0, le=600, description="Seconds for a whole lookup, connecting included."
    )
    read_only: Flag = _option(False, "ReadOnly", description="Never written to.")
    selections: Mapping[str, Mapping[str, str]] = _option(
        {}, "Selections", description="Fixed choices for a variable."
    )
    on_unavailable: Literal["wait", "skip"] = Field(
        "wait",
        description="When the source does not answer: wait for it, or ask the next source "
        "(and still never empty a field).",
    )
    stale_if_unavailable: Duration = Field(
        0,
        le=MAX_STALE,
        description="How long what the source said may stand in while it does not answer: "
        '"90s", "15m", "24h", "7d", or seconds; 0 = never. It is kept in Redis for so long, and '
        "never empties a field. For sources outside the ticket database.",
    )
    watch: OptionalText = Field(
        None,
        description="Column or attribute that says when a customer user was changed, e.g. "
        "change_time, modifyTimestamp, or whenChanged in Active Directory: changes are announced "
        "as events. Unset: nobody watches.",
    )
    customer_user_search_fields: tuple[str, ...] = _option(
        (), "CustomerUserSearchFields", description="Columns that a search term is looked for in."
    )
    customer_user_search_prefix: str = _option(
        "", "CustomerUserSearchPrefix", description="Put before every search term."
    )
    customer_user_search_suffix: str = _option(
        "*", "CustomerUserSearchSuffix", description="Put behind every search term."
    )
    customer_user_search_list_limit: int = _option(
        250, "CustomerUserSearchListLimit", gt=0, description="Most results of one search."
    )
    customer_user_post_master_search_fields: tuple[str, ...] = _option(
        (), "CustomerUserPostMasterSearchFields", description="Columns with email addresses."
    )
    customer_user_exclude_primary_customer_id: Flag = _option(
        False,
        "CustomerUserExcludePrimaryCustomerID",
        description="Leave the primary customer id out of a customer user's customer ids.",
    )
    admin_set_preferences: Flag = _option(
        False, "AdminSetPreferences", description="OTOBO's admin screen shows preferences."
    )

    @model_validator(mode="before")
    @classmethod
    def _lift_params(cls, data: Any) -> Any:
        return _unfolded(cls, lift_params(data))

    @field_validator("slot", mode="before")
    @classmethod
    def _known_slot(cls, value: Any) -> Any:
        text = str(value).removeprefix("CustomerUser")
        if text not in SLOTS:
            msg = f'slot {value!r} does not exist; there are "", "1", "2" … "10"'
            raise ValueError(msg)
        return text

    @property
    def source_name(self) -> str:
        """The name in the key ``Source``: ``CustomerUser``, ``CustomerUser1``."""
        return source_name(self.slot)

    @property
    def storages(self) -> Mapping[str, str]:
        """Storages by variable, of the Map's rows that a source reads; a variable's last row wins.

        Dynamic fields stand in the ticket system, and passwords are never read (D18).
        """
        secret = {entry.storage for entry in self.map if entry.variable == "UserPassword"}
        return {
            entry.variable: entry.storage
            for entry in self.map
            if entry.storage_type != "dynamic_field" and entry.storage not in secret
        }

    @property
    def list_fields(self) -> tuple[str, ...]:
        """Storages of UserMailString, with the kind's default."""
        return (
            self.default_list_fields
            if self.customer_user_list_fields is None
            else self.customer_user_list_fields
        )

    @property
    def name_fields(self) -> tuple[str, ...]:
        """Storages of UserFullname, with the kind's default."""
        return (
            self.default_name_fields
            if self.customer_user_name_fields is None
            else self.customer_user_name_fields
        )


class SqlSourceConfig(SourceConfig, DatabaseConfig):
    """A customer user source in an SQL database (OTOBO's ``Kernel::System::CustomerUser::DB``)."""

    default_list_fields: ClassVar[tuple[str, ...]] = ("first_name", "last_name", "email")
    default_name_fields: ClassVar[tuple[str, ...]] = ("first_name", "last_name")

    kind: Literal["sql"] = "sql"
    customer_valid: OptionalText = _option(
        None, "CustomerValid", description="Column with valid ids; for searches."
    )
    customer_user_email_uniq_check: Flag = _option(
        False, "CustomerUserEmailUniqCheck", description="No two customer users with one address."
    )
    auto_login_creation: Flag = _option(
        False, "AutoLoginCreation", description="Make a login when none is given."
    )
    auto_login_creation_prefix: str = _option(
        "auto", "AutoLoginCreationPrefix", description="How such a login begins."
    )
    require_customer: bool = Field(
        True,
        description="Where customer_company_support is on: a customer user's customer must exist "
        "and be valid when they are added or get another one.",
    )
    email_check: Literal["syntax", "none"] = Field(
        "syntax",
        description="Whether UserEmail must be an address that mail can be sent to, for valid "
        "customer users whose address is new or changed.",
    )
    password_form: PasswordForm = Field(
        "bcrypt",
        description="How passwords are stored: one of OTOBO's forms (its CryptType). Its login "
        "reads them all, whichever it writes; all but bcrypt are weak.",
    )
    bcrypt_cost: int = Field(
        12,
        ge=9,
        le=31,
        description="2 to this power rounds for each password: 12 takes a quarter of a second, "
        "each step up doubles it.",
    )

    @model_validator(mode="after")
    def _stands_in_for_another_database(self) -> "SqlSourceConfig":
        if self.stale_if_unavailable and self.in_ticket_database:
            msg = (
                "stale_if_unavailable is for sources outside the ticket database: while that is "
                "away nothing is written at all; remove it, or give the source a url or dsn"
            )
            raise ValueError(msg)
        return self


class LdapSourceConfig(SourceConfig):
    """A customer user source in an LDAP directory (``Kernel::System::CustomerUser::LDAP``)."""

    model_config = ConfigDict(**STRICT, json_schema_extra=keyword_keys)

    default_list_fields: ClassVar[tuple[str, ...]] = ("cn", "mail")
    default_name_fields: ClassVar[tuple[str, ...]] = ("givenname", "sn")

    kind: Literal["ldap"] = "ldap"
    host: tuple[str, ...] = _option(
        ..., "Host", description="Name, address or URI; several are tried in turn."
    )
    port: int | None = Field(
        None, description="Port where the host does not name one; 389, or 636 for ldaps."
    )
    base_dn: str = _option(..., "BaseDN", description="Where the search begins.")
    sscope: Literal["base", "one", "sub"] = _option(
        "sub", "SSCOPE", description="How deep it goes."
    )
    user_dn: OptionalText = _option(None, "UserDN", description="Who binds; empty = anonymous.")
    user_pw: SecretStr | None = _option(None, "UserPw", description="The password of user_dn.")
    always_filter: OptionalText = _option(
        None, "AlwaysFilter", description="A filter added to every search: (objectclass=user)."
    )
    source_charset: str = _option(
        "utf-8", "SourceCharset", description="Charset of a server that breaks the standard."
    )
    timeout: float = Field(
        5.0, gt=0, le=600, description="Seconds for a whole lookup, connecting and TLS included."
    )
    version: Annotated[Literal[2, 3], BeforeValidator(_digits_as_number)] = Field(
        3, description="LDAP protocol version."
    )
    tls: TlsConfig = Field(default_factory=TlsConfig)
    referrals: bool = Field(False, description="Follow referrals to other servers.")
    translate_manager_to: OptionalText = _option(
        None,
        "TranslateManagerTo",
        description="Attribute of the manager's entry that stands in for the manager's DN.",
    )
    customer_user_valid_filter: OptionalText = _option(
        None, "CustomerUserValidFilter", description="Filter for searches; lookups ignore it."
    )
    group_dn: OptionalText = _option(
        None, "GroupDN", description="Group for searches; lookups ignore it."
    )
    die: Flag = _option(False, "Die", description="Accepted, without effect (D1).")
    async_: Flag = _option(
        False, "async", description="Accepted, without effect: an option of Net::LDAP."
    )

    @field_validator("host", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("source_charset", mode="before")
    @classmethod
    def _standard_charset(cls, value: Any) -> Any:
        """Unset means UTF-8, as LDAP 3 says (RFC 4511; D20)."""
        return value or "utf-8"


class CompanyConfig(DatabaseConfig):
    """Where customers (companies) are kept: OTOBO's ``CustomerCompany`` block."""

    slot: str = Field("", description='Place in the order: "", "1" … "10".')
    name: str = _option("", "Name", description="A name for people.")
    table: str = _option("customer_company", "Table", description="The table's name.")
    customer_company_key: str = _option(
        "customer_id", "CustomerCompanyKey", description="Column that holds the customer id."
    )
    customer_company_valid: OptionalText = _option(
        "valid_id", "CustomerCompanyValid", description="Column with valid ids."
    )
    customer_company_list_fields: tuple[str, ...] = _option(
        ("customer_id", "name"), "CustomerCompanyListFields", description="Columns of lists."
    )
    customer_company_search_fields: tuple[str, ...] = _option(
        ("customer_id", "name"), "CustomerCompanySearchFields", description="Columns of searches."
    )
    customer_company_search_prefix: str = _option(
        "*", "CustomerCompanySearchPrefix", description="Put before every search term."
    )
    customer_company_search_suffix: str = _option(
        "*", "CustomerCompanySearchSuffix", description="Put behind every search term."
    )
    customer_company_search_list_limit: int = _option(
        250, "CustomerCompanySearchListLimit", gt=0, description="Most results of one search."
    )
    cache_ttl: Annotated[int, BeforeValidator(_empty_as_zero)] = _option(
        0, "CacheTTL", ge=0, description="Accepted, without effect: companies are read afresh."
    )
    read_only: Flag = _option(False, "ReadOnly", description="Never written to.")
    selections: Mapping[str, Mapping[str, str]] = _option(
        {}, "Selections", description="Fixed choices for a variable."
    )
    map: SourceMap = _option(
        (
            MapEntry(variable="CustomerID", storage="customer_id", required=True),
            MapEntry(variable="CustomerCompanyName", storage="name", required=True),
            MapEntry(variable="CustomerCompanyStreet", storage="street"),
            MapEntry(variable="CustomerCompanyZIP", storage="zip"),
            MapEntry(variable="CustomerCompanyCity", storage="city"),
            MapEntry(variable="CustomerCompanyCountry", storage="country"),
            MapEntry(variable="CustomerCompanyURL", storage="url"),
            MapEntry(variable="CustomerCompanyComment", storage="comments"),
            MapEntry(variable="ValidID", storage="valid_id", required=True, storage_type="int"),
        ),
        "Map",
        description="Which variable comes from which column.",
    )

    @property
    def source_name(self) -> str:
        """The name as OTOBO writes it: ``CustomerCompany``, ``CustomerCompany1``."""
        return f"CustomerCompany{self.slot}"


class PreferencesConfig(BaseModel):
    """Where preferences of customer users are kept: OTOBO's ``CustomerPreferences`` block."""

    model_config = STRICT

    enabled: bool = Field(True, description="Preferences count as attributes, as in OTOBO.")
    table: str = _option("customer_preferences", "Table", description="The table's name.")
    user_id: str = _option("user_id", "TableUserID", description="Column with the login.")
    key: str = _option("preferences_key", "TableKey", description="Column with the key.")
    value: str = _option("preferences_value", "TableValue", description="Column with the value.")
    defaults: Mapping[str, str] = Field(
        default_factory=lambda: {"UserRefreshTime": "0", "UserShowTickets": "25"},
        description="Values of unset preferences (CustomerPreferencesGroups, DataSelected).",
    )
    timeout: float = Field(
        5.0, gt=0, le=600, description="Seconds for reading what the ticket database adds."
    )

    @model_validator(mode="before")
    @classmethod
    def _lift_params(cls, data: Any) -> Any:
        return lift_params(data)


def lift_params(data: Any) -> Any:
    """Lift OTOBO's nested ``Params`` to the top and turn ``Module`` into ``kind``.

    Net::LDAP's own TLS options (``verify``, ``cafile`` …) become the ``tls`` table.
    """
    if not isinstance(data, Mapping):
        return data
    flat: dict[str, Any] = {}
    level: Any = data
    while isinstance(level, Mapping):
        for key, value in level.items():
            # Perl's undef, null in JSON, says of any option that it is not set.
            if value is None or key == "Params" or key in IGNORED_OPTIONS:
                continue
            if key in flat and flat[key] != value:
                msg = f"{key} is given twice, with different values"
                raise ValueError(msg)
            flat[key] = value
        level = level.get("Params")
    tls = {
        ours: flat.pop(theirs)
        for theirs, ours in (
            ("cafile", "ca_file"),
            ("clientcert", "cert_file"),
            ("clientkey", "key_file"),
        )
        if theirs in flat
    }
    if "verify" in flat:
        tls["verify"] = flat.pop("verify") != "none"
    if tls:
        flat["tls"] = {**tls, **dict(flat.get("tls") or {})}
    source = _SOURCE_MODULE.fullmatch(str(data.get("Module") or ""))
    if source is not None:
        # A back end that Fieldfare does not know stays as it is, to be refused by its name (D23).
        flat.setdefault("kind", _KINDS.get(source[1], source[0]))
    return flat
