"""Which customer user sources are there, and does each answer? Plain data, for everybody who asks.

Nothing here holds a secret: an address is told without user, password and options.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import redis
from sqlalchemy import URL

from directory.breaker import Circuit
from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from directory.dsn import DsnError, database_url
from directory.errors import SourceMisconfigured, SourceUnavailable
from directory.ldap_wire import endpoints
from directory.model import SLOTS, Absent, Answer, Found, Unavailable
from directory.probe import ask
from directory.refusals import Refused
from directory.source import CustomerUserSource
from worker.services import Services

IN_TICKET_DATABASE = "the ticket database"


def list_(services: Services) -> dict[str, Any]:
    """Tell of each source what it is, and how the workers saw it last; none is asked.

    Returns:
        ``sources``, in the order in which they are asked, of each ``source`` (``CustomerUser1``),
        ``slot``, ``name``, ``kind``, ``where``, ``writable``, ``cache_seconds``,
        ``stale_seconds``, ``on_unavailable``, ``state`` (``up``, ``down``, ``not asked`` while
        its circuit is open, ``unknown`` until a worker has asked it), ``since`` (when that began,
        seconds since 1970, or null) and ``reason`` (why it does not answer). ``states_unknown``:
        why nobody knows the states; empty if they are known.
    """
    circuits, unknown = _circuits(services)
    return {
        "sources": [
            {
                "source": config.source_name,
                "slot": config.slot or "0",
                "name": config.name,
                "kind": config.kind,
                "where": where(config),
                "writable": writable(config),
                "cache_seconds": config.cache_ttl,
                "stale_seconds": int(config.stale_if_unavailable),
                "on_unavailable": config.on_unavailable,
                **_state(circuits.get(config.slot)),
            }
            for config in services.settings.source_configs()
        ],
        "states_unknown": unknown,
    }


def try_(
    services: Services, *, source: str | None = None, login: str | None = None
) -> dict[str, Any]:
    """Search in each source, as a worker does for a ticket, and tell how that went.

    Args:
        services: with the directory.
        source: only this one: ``CustomerUser1``, its number, or its name.
        login: whom to look up; else somebody who cannot exist.

    Returns:
        ``sources``, of each ``source``, ``name``, ``where``, ``answer`` (``found``, ``absent``,
        ``unavailable`` or ``misconfigured``), ``seconds`` (of the search; null if there was none)
        and ``reason`` (why it found nobody, or did not search). With a login also ``login``: as
        the source spells it, null if it does not know it.

    Raises:
        Refused: there is no such source.
    """
    asked = services.directory.sources
    if source is not None:
        config = meant([one.config for one in asked], source)
        asked = [one for one in asked if one.config.slot == config.slot]
    return {"sources": [_tested(one, login) for one in asked]}


def meant(configs: Sequence[SourceConfig], named: str) -> SourceConfig:
    """The source that somebody means.

    Args:
        configs: of all sources.
        named: ``CustomerUser1``, its number (0 for the first), or its name; case does not count.

    Raises:
        Refused: there is no such source.
    """
    text = named.lower()
    slots = {slot or "0": slot for slot in SLOTS} | {f"customeruser{slot}": slot for slot in SLOTS}
    for config in configs:
        if slots.get(text) == config.slot or text == config.name.lower() != "":
            return config
    known = ", ".join(map(_called, configs))
    raise Refused("unknown_source", f"there is no source {named}; there are: {known or 'none'}")


def _called(config: SourceConfig) -> str:
    return f"{config.source_name} ({config.name})" if config.name else config.source_name


def where(config: SourceConfig) -> str:
    """Where a source keeps its customer users, without user, password and options."""
    match config:
        case LdapSourceConfig():
            try:
                hosts = ", ".join(map(str, endpoints(config)))
            except SourceMisconfigured:
                hosts = "no host that can be read"
            return f"{hosts}, {config.base_dn}"
        case SqlSourceConfig(in_ticket_database=True):
            return f"{IN_TICKET_DATABASE}, table {config.table}"
        case SqlSourceConfig():
            try:
                database = _address(database_url(config))
            except DsnError:
                database = "no address that can be read"
            return f"{database}, table {config.table}"
    return ""


def writable(config: SourceConfig) -> bool:
    """Whether customer users can be added to a source, and changed there."""
    return isinstance(config, SqlSourceConfig) and not config.read_only


def _address(url: URL) -> str:
    socket = url.query.get("host") or url.query.get("unix_socket") or ""
    host = url.host or (socket if isinstance(socket, str) else ",".join(socket))
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{host}{port}/{url.database or ''}"


def _circuits(services: Services) -> tuple[Mapping[str, Circuit], str]:
    """The circuits, and why they are not known."""
    try:
        return services.source_states.read(), ""
    except redis.RedisError as error:
        return {}, f"Redis does not answer: {error}"


def _state(circuit: Circuit | None) -> dict[str, Any]:
    if circuit is None:
        return {"state": "unknown", "since": None, "reason": ""}
    silent = "not asked" if circuit.open else "down"
    return {
        "state": "up" if circuit.up else silent,
        "since": circuit.since,
        "reason": circuit.reason,
    }


def _tested(source: CustomerUserSource, login: str | None) -> dict[str, Any]:
    config = source.config
    told: dict[str, Any] = {
        "source": config.source_name,
        "name": config.name,
        "where": where(config),
        "seconds": None,
    }
    try:
        answer, seconds = ask(source, login or "")
    except SourceMisconfigured as error:
        told |= {"answer": "misconfigured", "reason": error.problem}
    except SourceUnavailable as error:
        told |= {"answer": "unavailable", "reason": error.reason}
    else:
        told |= {**_said(answer), "seconds": round(seconds, 6)}
    if login:
        told.setdefault("login", None)
    return told


def _said(answer: Answer) -> dict[str, Any]:
    match answer:
        case Found(customer_user=user):
            return {"answer": "found", "reason": "", "login": user.login}
        case Absent(reason=reason):
            return {"answer": "absent", "reason": reason}
        case Unavailable(reason=reason):
            return {"answer": "unavailable", "reason": reason}
