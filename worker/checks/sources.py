"""Can people be found? Each source is asked as a worker asks it, for somebody who cannot exist.

So is what the ticket system adds to a customer user: where that cannot be read, a customer user
counts as unavailable, however well their source answers.
"""

from collections.abc import Callable, Iterator
from secrets import token_hex
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from directory.companions import Companions, companions
from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from directory.database import DatabaseFault
from directory.dsn import DsnError, database_url
from directory.errors import SourceMisconfigured, SourceUnavailable
from directory.model import Unavailable
from directory.probe import NOBODY, ask, questions
from directory.readers import COMPANIES, DYNAMIC_FIELDS
from directory.source import CustomerUserSource
from directory.supplier import Supplier, wanted_fields
from worker import bootstrap
from worker.checks import transport
from worker.checks.finding import Finding, error, ok, silent, skipped
from worker.settings import Settings

ADDED = "customer data"
"""The subject of what the ticket system adds to a customer user."""

_NOT_STARTING = "The worker does not start."
_WAITING = "Events of its customer users wait until it is back; nothing is emptied."
_MILLISECONDS = 1000
_TOLD = {DYNAMIC_FIELDS: "dynamic fields of customer users"}


def check(settings: Settings, engine: Engine | None) -> Iterator[Finding]:
    """Ask every source, in order, and then for what is added to their answers.

    Args:
        settings: the effective settings.
        engine: of the ticket database; None where that is known not to answer.
    """
    if not settings.sources:
        yield error(
            "sources",
            "no customer user source is configured",
            "Every customer user counts as unknown, and mapped fields are emptied.",
            "Add [CustomerUser], as it stands in OTOBO's Kernel/Config.pm.",
        )
    for config in settings.source_configs():
        if isinstance(config, SqlSourceConfig) and config.in_ticket_database and engine is None:
            yield skipped(config.source_name, "its table stands in the ticket database")
            continue
        yield from _source(config, engine)
    if engine is None:
        yield skipped(ADDED, "it stands in the ticket database")
    elif settings.sources:
        yield from _added(settings, engine)


def _source(config: SourceConfig, engine: Engine | None) -> Iterator[Finding]:
    subject = config.source_name
    try:
        yield from _transport(subject, config)
        source = bootstrap.source(config, _given(engine))
        try:
            yield _asked(subject, source)
        finally:
            source.close()
    except SourceMisconfigured as problem:
        yield error(subject, problem.problem, _NOT_STARTING, "")
    except SourceUnavailable as problem:
        yield _silent(subject, problem.reason)


def _asked(subject: str, source: CustomerUserSource) -> Finding:
    answer, seconds = ask(source)
    if isinstance(answer, Unavailable):
        return _silent(subject, answer.reason)
    name = f"{source.config.name}: " if source.config.name else ""
    return ok(subject, f"{name}answers a search in {seconds * _MILLISECONDS:.1f} ms")


def _silent(subject: str, reason: str) -> Finding:
    return silent(
        subject,
        f"does not answer: {reason}",
        _WAITING,
        "Start its server, or correct the source's address and credentials.",
    )


def _transport(subject: str, config: SourceConfig) -> Iterator[Finding]:
    if isinstance(config, LdapSourceConfig):
        yield from transport.of_ldap(subject, config)
    elif isinstance(config, SqlSourceConfig) and not config.in_ticket_database:
        try:
            url = database_url(config)
        except DsnError as problem:
            raise SourceMisconfigured(config.slot, problem.problem) from None
        yield from transport.of_database(subject, url)


def _added(settings: Settings, engine: Engine) -> Iterator[Finding]:
    """Preferences, companies and dynamic fields of customer users."""
    zone = ZoneInfo(settings.tickets.time_zone)
    try:
        readers = companions(_given(engine), settings.preferences, settings.company_configs(), zone)
    except SourceMisconfigured as problem:
        yield error(ADDED, problem.problem, _NOT_STARTING, "")
        return
    try:
        for what, question in _questions(settings, readers):
            try:
                question(f"{NOBODY}{token_hex(8)}")
            except DatabaseFault as fault:
                yield silent(
                    ADDED,
                    f"{what} cannot be read: {fault.reason}",
                    "Every customer user counts as unavailable, so all events wait.",
                    "Grant SELECT as the page Deploy says, or correct the table's name.",
                )
            else:
                yield ok(ADDED, f"{what} can be read")
    finally:
        readers.close()


def _questions(
    settings: Settings, readers: Companions
) -> Iterator[tuple[str, Callable[[str], object]]]:
    suppliers = [Supplier.of(config) for config in settings.source_configs()]
    variables = settings.mapping.ruleset().variables
    known = frozenset() if readers.companies is None else readers.companies.variables
    for name, question in questions(readers, wanted_fields(suppliers, variables)):
        if name != COMPANIES or any(one.wants_companies(known, variables) for one in suppliers):
            yield _TOLD.get(name, name), question


def _given(engine: Engine | None) -> Callable[[], Engine]:
    def give() -> Engine:
        assert engine is not None  # noqa: S101 - sources that would ask for it are left out
        return engine

    return give
