"""Will each mapped field be filled? The field, its type, its variable, and who owns it.

A field is looked at as planning looks at it (``mapping.fields.refusal``), a variable as the
directory makes it up: from a Map, a company, a preference, or one of the keys that every customer
user has.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnClause, Engine, column, select
from sqlalchemy.exc import SQLAlchemyError

from directory.companions import companions
from directory.database import describe
from directory.errors import SourceMisconfigured
from directory.rows import from_table
from directory.supplier import Supplier
from mapping import fields as kinds
from mapping.model import DynamicField, Reason
from mapping.precedence import SCREENS
from mapping.rules import Rule
from mapping.values import SECRETS
from worker.checks.finding import Finding, error, ok, warning
from worker.settings import Settings
from worker.tickets import schema
from worker.tickets.reading import Definitions, Header

SUBJECT = "mapped fields"

ALWAYS = frozenset({"UserID", "UserMailString", "UserFullname", "Source"})
"""Variables that the directory gives every customer user."""

_NEVER_WRITTEN = "Nothing is ever written into it."


def check(settings: Settings, engine: Engine) -> Iterator[Finding]:
    """Look at the field and the variables of every rule."""
    rules = settings.mapping.ruleset().rules
    try:
        definitions, names = _definitions(engine, rules)
        known = _variables(settings, engine)
        preferences = _preferences(settings, engine, _wanted(rules) - known)
    except SQLAlchemyError as problem:
        yield error(
            SUBJECT,
            f"their definitions cannot be read: {describe(problem)}",
            _NEVER_WRITTEN,
            "Mend what is said of the ticket database.",
        )
        return
    except SourceMisconfigured:
        return  # the sources' check says so
    for name, rule in sorted(rules.items()):
        subject = f"field {name}"
        found = [
            *_field(subject, name, definitions.get(name), names),
            *_rule(subject, rule, known | preferences, settings),
            *_owned(subject, name, settings),
        ]
        kind = definitions[name].field_type if name in definitions else ""
        yield from found or [ok(subject, f"{kind}, from {', '.join(rule.variables)}")]


def _definitions(
    engine: Engine, wanted: Collection[str]
) -> tuple[Mapping[str, DynamicField], Collection[str]]:
    """The definitions of the wanted fields, and the names of all fields of tickets."""
    field = schema.dynamic_field.c
    statement = (
        select(field.id, field.name, field.field_type, field.object_type)
        .add_columns(field.internal_field, field.valid_id, field.change_time)
        .order_by(field.id)
    )
    with engine.connect() as connection:
        headers = [Header(*row) for row in connection.execute(statement)]
        mapped = {header.id: header for header in headers if header.name in wanted}
        definitions = Definitions().of(connection, mapped)
    return definitions, [header.name for header in headers if header.object_type == "Ticket"]


def _variables(settings: Settings, engine: Engine) -> frozenset[str]:
    """Every variable that the settings let a customer user have.

    Raises:
        SourceMisconfigured: the address of a company's database cannot be understood.
    """
    configs = settings.source_configs()
    known = {*ALWAYS, *(name for config in configs for name in Supplier.of(config).supplied)}
    if settings.preferences.enabled:
        known |= {*settings.preferences.defaults, "UserLastLoginTimestamp"}
    if any(config.customer_company_support for config in configs):
        zone = ZoneInfo(settings.tickets.time_zone)
        readers = companions(lambda: engine, settings.preferences, settings.company_configs(), zone)
        known |= readers.companies.variables if readers.companies else frozenset()
    return frozenset(known)


def _wanted(rules: Mapping[str, Rule]) -> frozenset[str]:
    return frozenset(name for rule in rules.values() for name in rule.variables) - SECRETS


def _preferences(settings: Settings, engine: Engine, names: Collection[str]) -> frozenset[str]:
    """Those among the names that somebody has as a preference."""
    config = settings.preferences
    if not config.enabled or not names:
        return frozenset()
    key: ColumnClause[str] = column(config.key)
    statement = (
        select(key).select_from(from_table(config.table)).where(key.in_(sorted(names))).distinct()
    )
    try:
        with engine.connect() as connection:
            return frozenset(connection.execute(statement).scalars())
    except SQLAlchemyError:
        return frozenset(names)  # the sources' check says that preferences cannot be read


def _field(
    subject: str, name: str, field: DynamicField | None, names: Collection[str]
) -> Iterator[Finding]:
    refusal = kinds.refusal(field)
    if refusal is None:
        return
    close = difflib.get_close_matches(name, names, n=1) if field is None else []
    advice = {
        Reason.NO_SUCH_FIELD: "Create it in the ticket system, or correct the mapping.",
        Reason.INVALID_FIELD: "Set it valid in the ticket system, or take it out.",
        Reason.WRONG_OBJECT_TYPE: "Map to a field whose object is Ticket.",
    }.get(refusal[0], "Map to a field of another type.")
    if close:
        advice = f"Did you mean {close[0]}?"
    yield error(subject, refusal[1], _NEVER_WRITTEN, advice)


def _rule(
    subject: str, rule: Rule, known: Collection[str], settings: Settings
) -> Iterator[Finding]:
    if secret := SECRETS.intersection(rule.variables):
        yield error(
            subject,
            f"{', '.join(secret)} is a password's hash",
            _NEVER_WRITTEN,
            "Take it out of the mapping.",
        )
    for variable in sorted(set(rule.variables) - SECRETS - set(known)):
        close = difflib.get_close_matches(variable, known, n=1)
        hint = f"Did you mean {close[0]}? " if close else ""
        company = variable.startswith("CustomerCompany") and not any(
            config.customer_company_support for config in settings.source_configs()
        )
        yield error(
            subject,
            f"no Map of a source has the variable {variable}",
            "It counts as empty for everybody, and what stands in the field is emptied.",
            "Set customer_company_support = true at the source."
            if company
            else f"{hint}Correct the mapping, or add the variable to a Map.",
        )


def _owned(subject: str, name: str, settings: Settings) -> Iterator[Finding]:
    precedence = settings.precedence
    screens = sorted(
        screen for screen, levels in precedence.screens.items() if levels.get(name, 0) > 0
    )
    if not precedence.enabled or not screens:
        return
    creating = {*SCREENS.values(), *precedence.screen_by_history_type.values()}
    when = "when a ticket is created there" if creating & set(screens) else "there"
    yield warning(
        subject,
        f"is enabled on {', '.join(screens)}",
        f"What the screen submits {when} wins over the directory, even if it is empty.",
        "If the directory is to fill it, take it off the screen in OTOBO and in "
        "precedence.screens.",
    )
