"""Writes to the customer user directory: Fieldfare's admin calls make them, as programs call them.

What is compared is the meaning: whether it was done, for whom, and what stands in the tables then.
The recording is of OTOBO's functions, which add customer users of customers that there are not
(D30), so the sources are set to ``require_customer = false``; its update overwrites all, as
``replace`` does. A password is checked as OTOBO's login does it, by code that is not Fieldfare's.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import bcrypt
import sqlalchemy
from passlib.hash import apr_md5_crypt, des_crypt, md5_crypt
from sqlalchemy import column, select

from tests.conformance.recordings import Json
from tests.conformance.said import Said
from worker.calls import perform
from worker.services import Services
from worker.tickets import schema

if TYPE_CHECKING:
    from tests.conformance.player import Player

TOPIC = "directory_write"
"""The topic in which Fieldfare writes; in all others the ticket system itself does."""

REFUSED = "refused"
UNAVAILABLE = "unavailable"

WHO = "conformance"

_NOT_VALUES = frozenset({"ID", "Source", "UserID"})
_MADE_LOGIN = re.compile(r"-\d{12}\d*$")
_BCRYPT_LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_HEX = {40: hashlib.sha1, 64: hashlib.sha256, 128: hashlib.sha512}


def add(player: "Player", services: Services, args: Json) -> Said:
    """CustomerUserAdd."""
    source = str(args.get("Source") or "CustomerUser")
    if not args.get("UserID"):
        return Said(REFUSED, "no call is without a user here: it is always the worker's")
    arguments = {"values": _values(player, source, args), "source": source}
    told = perform("customer_user.add", {**arguments, "generate_password": False}, WHO, services)
    return _said(told, made_login(str(told.get("login"))))


def update(player: "Player", services: Services, args: Json) -> Said:
    """CustomerUserUpdate."""
    login = str(args.get("ID") or "")
    if not args.get("UserID") or not login:
        return Said(REFUSED, "no call is without a user here, or without a login")
    found = perform("customer_user.get", {"login": login}, WHO, services)
    arguments = {
        "login": login,
        "values": _values(player, str(found.get("source")), args),
        "replace": True,
    }
    told = perform("customer_user.update", arguments, WHO, services)
    if "error" not in told and told["login"] != login:
        player.renamed[login] = str(told["login"])
    return _said(told, "done")


def set_password(_player: "Player", services: Services, args: Json) -> Said:
    """SetPassword."""
    arguments = {"login": str(args.get("UserLogin") or ""), "password": str(args.get("PW") or "")}
    return _said(perform("customer_user.set_password", arguments, WHO, services), "done")


def get_preferences(_player: "Player", services: Services, args: Json) -> Said:
    """GetPreferences."""
    login = str(args.get("UserID") or "")
    reader = services.directory.companions.preferences
    found = {} if reader is None else reader.read([login]).get(login, {})
    return Said({name: text for name, text in found.items() if text})


CALLS: Mapping[str, Callable[["Player", Services, Json], Said]] = {
    "CustomerUserAdd": add,
    "CustomerUserUpdate": update,
    "SetPassword": set_password,
    "GetPreferences": get_preferences,
}


def meaning(method: str, result: Any) -> Any:
    """What a recorded result of one of these means."""
    failed = not result or (isinstance(result, Mapping) and "die" in result)
    if method == "CustomerUserAdd":
        return REFUSED if failed else made_login(str(result))
    if method in {"CustomerUserUpdate", "SetPassword"}:
        return REFUSED if failed else "done"
    if method == "GetPreferences":
        return {name: text for name, text in (result or {}).items() if text}
    return result


def made_login(login: str) -> str:
    """A login without the time that an automatic one is made of."""
    return _MADE_LOGIN.sub("-{NOW}", login)


def customer_auth(player: "Player", args: Json) -> Said:
    """OTOBO's login of a customer user, whose name it compares with case (observed rule 61)."""
    login = str(args.get("user") or "")
    stored = _stored_password(player, login)
    return Said(login if stored and matches(str(args.get("pw")), stored) else None)


def set_password_as(player: "Player", args: Json) -> Said:
    """A password is stored in a form of OTOBO's; then a login with it, and with a wrong one."""
    login, password = str(args["login"]), str(args["password"])
    with player.fieldfare.with_password_form(args["crypt_type"]) as services:
        told = perform(
            "customer_user.set_password", {"login": login, "password": password}, WHO, services
        )
    stored = _stored_password(player, login)
    return Said(
        {
            "auth": customer_auth(player, {"user": login, "pw": password}).result,
            "set": None if "error" in told else "1",
            "stored_length": str(len(stored)),
            "stored_prefix": _prefix(stored, password),
            "wrong": customer_auth(player, {"user": login, "pw": "wrong"}).result,
        },
        str(told.get("message", "")),
    )


def generate_password(services: Services, args: Json) -> Said:
    """GenerateRandomPassword, told by its lengths."""
    lengths = {}
    for size in args["sizes"]:
        arguments = {} if size is None else {"length": size}
        told = perform("customer_user.generate_password", arguments, WHO, services)
        name = "default_length" if size is None else f"size{size}_length"
        lengths[name] = str(len(told.get("password", "")))
    return Said(lengths)


def matches(password: str, stored: str) -> bool:
    """Whether a password is the stored one, whatever its form."""
    if stored.startswith("BCRYPT:"):
        _, cost, salt, hashed = stored.split(":")
        told = f"$2a${int(cost):02}${_bcrypt_text(salt.encode())}{hashed}"
        return bcrypt.checkpw(password.encode(), told.encode())
    if stored.startswith("$apr1$"):
        return bool(apr_md5_crypt.verify(password, stored))
    if stored.startswith("$1$"):
        return bool(md5_crypt.verify(password, stored))
    if len(stored) in _HEX and re.fullmatch("[0-9a-f]+", stored):
        return _HEX[len(stored)](password.encode()).hexdigest() == stored
    return stored == password or (
        len(stored) == 13
        and bool(des_crypt.identify(stored) and des_crypt.verify(password, stored))
    )


def _bcrypt_text(octets: bytes) -> str:
    """Octets in bcrypt's own letters, six bits each."""
    bits = "".join(f"{octet:08b}" for octet in octets)
    bits += "0" * (-len(bits) % 6)
    return "".join(_BCRYPT_LETTERS[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def _prefix(stored: str, password: str) -> str:
    if stored == password:
        return "the plain text"
    if stored.startswith("BCRYPT:"):
        return f"BCRYPT like, begins with {':'.join(stored.split(':')[:2])}:"
    return "" if len(stored) in _HEX else stored[:3]


def _stored_password(player: "Player", login: str) -> str:
    user = schema.customer_user.c
    with player.world.otobo.engine.connect() as connection:
        rows = connection.execute(select(user.login, user.pw)).all()
    return next((row.pw or "" for row in rows if row.login == login), "")


def _values(player: "Player", source: str, args: Json) -> dict[str, Any]:
    """The values for a source; of what its Map does not have, OTOBO takes no notice."""
    blocks = player.case.source_configs
    names = [
        one["config"]
        for one in player.case.config["sources"]
        if f"CustomerUser{one['slot']}" == source
    ]
    block = blocks[names[0]] if names and isinstance(names[0], str) else (names or [None])[0]
    known = {row[0] for row in block["Map"]} if block else set(args)
    return {
        name: "" if value is None else value
        for name, value in args.items()
        if name in known - _NOT_VALUES
    }


def _said(told: Json, done: str) -> Said:
    error = told.get("error")
    reason = f"{error}: {told.get('message')}" if error else ""
    if error == UNAVAILABLE:
        return Said(UNAVAILABLE, reason)
    return Said(REFUSED if error else done, reason)


# -- tables

Rows = list[dict[str, Any]]


def rows_of(player: "Player", table: str, columns: set[str]) -> Rows:
    """What stands in a table, NULLs and empty texts left out."""
    external = {
        one["table"] for one in player.case.directory.get("tables") or [] if one.get("database")
    }
    engine = player.world.external if table in external else player.world.otobo.engine
    with engine.connect() as connection:
        existing = {one["name"] for one in sqlalchemy.inspect(connection).get_columns(table)}
        names = sorted(columns & existing)
        statement = select(*map(column, names)).select_from(sqlalchemy.table(table))
        return [canonical(row._mapping) for row in connection.execute(statement)]


def canonical(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its id and without what is empty; a made login without its time."""
    told = {
        name: str(value) for name, value in row.items() if name != "id" and value not in (None, "")
    }
    return told | {"login": made_login(told["login"])} if "login" in told else told


def in_order(rows: Rows) -> Rows:
    """Rows as they can be compared."""
    return sorted(rows, key=lambda row: sorted(row.items()))
