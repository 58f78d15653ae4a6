"""The composition root: settings in, connected services out. Nothing else builds things."""

import functools
import os
from contextlib import closing
from zoneinfo import ZoneInfo

import redis
from sqlalchemy import make_url
from sqlalchemy.engine import URL

from directory import kinds
from directory.breaker import Observation
from directory.cache import Cache
from directory.companions import companions
from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from directory.database import TicketEngine
from directory.directory import Directory
from directory.probe import probe_reader, probe_source
from directory.readers import READERS
from directory.source import CustomerUserSource
from directory.sql import SqlSource
from directory.supplier import Supplier, wanted_fields
from worker.added import AddedRows
from worker.app import app, caller
from worker.broker import redis_url
from worker.guard import Guard
from worker.inbox import Inbox, connect
from worker.refresh_room import RefreshRoom
from worker.services import Services
from worker.settings import (
    CustomerGroupSettings,
    OtoboCacheSettings,
    Settings,
    TicketSettings,
    load,
)
from worker.source_states import SourceStates
from worker.tickets.customer_groups import CustomerGroups, GroupSettings
from worker.tickets.engine import for_reading, ticket_engine
from worker.tickets.erasing import Erasing
from worker.tickets.filled import FilledFields
from worker.tickets.history import HistoryLog
from worker.tickets.moving import TicketMoves
from worker.tickets.newcomers import Newcomers
from worker.tickets.otobo_cache import FileCache, NoCache, OtoboCache, RedisCache
from worker.tickets.past import FieldPast
from worker.tickets.selection import TicketIndex
from worker.tickets.sql import SqlTicketStore


def services() -> Services:
    """This process's services. Connections open when they are first used, after any fork.

    Raises:
        SettingsError: the settings cannot be used.
    """
    return _services_of(os.getpid())


@functools.lru_cache(maxsize=1)
def _services_of(pid: int) -> Services:  # noqa: ARG001 - a child does not use what it inherited
    return build(load())


def build(settings: Settings) -> Services:
    """Connect the parts; nothing is asked yet.

    Raises:
        SourceMisconfigured: a source can never work as it is configured.
        TicketDatabaseMisfit: the ticket database's URL cannot be used.
    """
    zone = ZoneInfo(settings.tickets.time_zone)
    tickets = settings.tickets
    engine = ticket_engine(
        ticket_url(tickets),
        statement_timeout=tickets.statement_timeout,
        lock_timeout=tickets.lock_timeout,
    )
    reading = for_reading(engine)
    inbox_ = inbox(settings)
    store = SqlTicketStore(
        engine, worker_user=tickets.worker_user, batch_size=tickets.batch_size, zone=zone
    )
    return Services(
        settings=settings,
        zone=zone,
        directory=directory(settings, lambda: reading, inbox_.client, zone),
        ruleset=settings.mapping.ruleset(),
        tickets=store,
        history=HistoryLog(reading, worker_user=tickets.worker_user, zone=zone),
        ticket_index=TicketIndex(reading),
        customer_groups=CustomerGroups(reading, group_settings(tickets.customer_groups)),
        past=FieldPast(reading, worker_user=tickets.worker_user),
        ticket_moves=TicketMoves(
            engine, worker_user=tickets.worker_user, batch_size=tickets.batch_size, zone=zone
        ),
        filled=FilledFields(reading),
        erasing=Erasing(engine, worker_user=tickets.worker_user, batch_size=tickets.batch_size),
        otobo_cache=otobo_cache(tickets.otobo_cache),
        inbox=inbox_,
        source_states=SourceStates(inbox_.client, limits=settings.breaker.limits()),
        probe=lambda name: probe(settings, lambda: reading, zone, name),
        guard=Guard(inbox_.client, settings.guard),
        newcomers=Newcomers(store.newest_row_id),
        added=AddedRows(inbox_.client),
        refresh_room=RefreshRoom(inbox_.client),
    )


def inbox(settings: Settings) -> Inbox:
    """The inbox, and the bell that wakes a worker up; needs no ticket database."""
    return Inbox(connect(redis_url(settings.redis)), caller(app), settings.inbox)


def directory(
    settings: Settings, engine: TicketEngine, client: redis.Redis, zone: ZoneInfo
) -> Directory:
    """The customer user directory over all configured sources.

    Raises:
        SourceMisconfigured: a source can never work as it is configured.
    """
    return Directory(
        [source(config, engine) for config in settings.source_configs()],
        companions(engine, settings.preferences, settings.company_configs(), zone),
        Cache(client, ttl_max=settings.cache.ttl_max, negative_ttl=settings.cache.negative_ttl),
    )


def probe(settings: Settings, engine: TicketEngine, zone: ZoneInfo, name: str) -> Observation:
    """Whether a source answers a search, by its slot; or a reader of ``directory.companions``.

    One that is not configured any more keeps nobody from anything, and so counts as answering.
    """
    if name in READERS:
        readers = companions(engine, settings.preferences, settings.company_configs(), zone)
        suppliers = [Supplier.of(config) for config in settings.source_configs()]
        fields = wanted_fields(suppliers, settings.mapping.ruleset().variables)
        with closing(readers):
            return probe_reader(name, readers, fields)
    for config in settings.source_configs():
        if config.slot == name:
            with closing(source(config, engine)) as built:
                return probe_source(built)
    return Observation()


def source(config: SourceConfig, engine: TicketEngine) -> CustomerUserSource:
    """One customer user source.

    Raises:
        SourceMisconfigured: it can never work as it is configured.
        SourceKindUnusable: the package that adds its kind is of no use.
    """
    match config:
        case SqlSourceConfig():
            return SqlSource(config, engine)
        case LdapSourceConfig():
            from directory.ldap import LdapSource  # noqa: PLC0415 - many directories have none

            return LdapSource(config)
        case _:
            return kinds.build(config)


def group_settings(settings: CustomerGroupSettings) -> GroupSettings | None:
    """What is set of customer users' groups; None if the ticket system itself is to be asked."""
    if settings.support is None:
        return None
    return GroupSettings(settings.support, settings.always, settings.company_always)


def otobo_cache(settings: OtoboCacheSettings) -> OtoboCache:
    """OTOBO's cache as it is set up there."""
    if settings.kind == "redis" and settings.url is not None:
        return RedisCache(settings.url.get_secret_value())
    if settings.kind == "file" and settings.directory is not None:
        return FileCache(settings.directory, subdirectory_levels=settings.subdirectory_levels)
    return NoCache()


def ticket_url(settings: TicketSettings) -> URL:
    """The ticket database's URL with user and password in it; it is a secret then."""
    url = make_url(settings.url.get_secret_value())
    if settings.user is not None:
        url = url.set(username=settings.user)
    if settings.password is not None:
        url = url.set(password=settings.password.get_secret_value())
    return url
