"""The ticket system of a case at work: it plays the steps, writes as OTOBO does, tells the worker.

A step is one request. Its calls are played in order; then the events that OTOBO's event module
would have heard go into the inbox, and the worker is let work.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ldap3

from tests.conformance import customer_users, directory_writes
from tests.conformance.directory_calls import ask
from tests.conformance.recordings import Case, Json, Step, ticket_of
from tests.conformance.said import Said
from tests.conformance.worker_side import Fieldfare, Stuck, screen_of
from tests.conformance.world import World, attributes
from tests.otobo import ROOT, WORKER
from worker.labels import labels_for
from worker.services import Services

STRANGERS = 1000
"""What is added to a recorded user's id that is the worker's here."""


class CannotPlay(Exception):
    """A step that the runner does not know how to play."""


@dataclass(slots=True)
class Player:
    """A case at play.

    Attributes:
        tickets: ids by name.
        events: what the event module hears in the request at hand: ticket id and event name.
        malformed: how many events were sent that are no events.
        said: what the directory answered in the request at hand, by the number of the call.
        renamed: new logins by the old ones.
    """

    world: World
    case: Case
    fieldfare: Fieldfare
    tickets: dict[str, int] = field(default_factory=dict)
    events: list[tuple[int, str]] = field(default_factory=list)
    malformed: int = 0
    said: dict[int, Said] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    _answer: Said | None = None

    def play(self, step: Step) -> None:
        """Play one request, and let the worker hear of it.

        Raises:
            CannotPlay: the step holds something unknown.
            Stuck: the worker could not handle an event.
        """
        self.events, self.said = [], {}
        self.world.clock.tick()
        for number, call in enumerate(step.calls):
            self._play(call)
            if self._answer is not None:
                self.said[number] = self._answer
            self._answer = None
        names = {id_: name for name, id_ in self.tickets.items()}
        submitted = step.submitted()
        for ticket_id, event in self.events:
            if self._heard(event):
                fields = submitted.get(names[ticket_id], ())
                told = self._told(step, names[ticket_id], fields)
                self.fieldfare.publish({"type": event, "ticket_id": str(ticket_id), **told})
        self.fieldfare.work()
        given_up = self.fieldfare.given_up()
        if len(given_up) > self.malformed:
            msg = f"an event was given up: {given_up[-1]}"
            raise Stuck(msg)

    def _play(self, call: Json) -> None:
        op = str(call.get("op"))
        play = _PLAYED.get(op)
        if play is None:
            msg = f"unknown op {op!r}"
            raise CannotPlay(msg)
        play(self, call)

    def _heard(self, event: str) -> bool:
        """Whether the event module is told of an event, and has something to do."""
        module = self.case.config.get("event_module")
        if not module or not self.case.config.get("mapping"):
            return False
        return re.search(str(module.get("Event") or ""), event) is not None

    def _told(self, step: Step, ticket: str, submitted: Sequence[str]) -> Mapping[str, str]:
        """What an event tells of the request that raised it."""
        told = {"time": self.world.clock().isoformat()}
        if submitted and step.request == "screen":
            told["screen"] = screen_of(step, ticket)
        elif submitted:
            told["fields"] = json.dumps(submitted, ensure_ascii=False)
        return told

    # -- tickets

    def ticket_create(self, call: Json) -> None:
        otobo = self.world.otobo
        customer_user, customer_id = call.get("customer_user"), call.get("customer_id")
        told = (_text(customer_user), _text(customer_id))
        id_ = otobo.create_ticket(*told, user_id=_author(call.get("user_id")))
        self.tickets[ticket_of(call)] = id_
        if any(part not in {None, "", "0"} for part in told):
            self.events.append((id_, "TicketCustomerUpdate"))
        self.events.append((id_, "TicketCreate"))

    def ticket_customer_set(self, call: Json) -> None:
        customer_user, customer_id = _text(call.get("user")), _text(call.get("no"))
        if customer_user is None and customer_id is None:
            return  # OTOBO logs "Need CustomerID or CustomerUserID!", and that is all
        self.set_customer(self._ticket(call), customer_user, customer_id, call.get("user_id"))

    def set_customer(
        self, ticket_id: int, customer_user: str | None, customer_id: str | None, by: Any = None
    ) -> None:
        """TicketCustomerSet, which always raises its event (observed rule 3)."""
        self.world.otobo.set_customer(ticket_id, customer_user, customer_id, user_id=_author(by))
        self.events.append((ticket_id, "TicketCustomerUpdate"))

    def dynamic_field_set(self, call: Json) -> None:
        texts = ["" if item is None else str(item) for item in _list(call.get("value"))]
        services = self.fieldfare.services
        labels = None
        kind = self.world.otobo.field(call["field"]).field_type
        if services is not None:
            old = self.world.otobo.rows(self._ticket(call), call["field"])
            keys = [*texts, *(str(row.value_text or row.value_int or "") for row in old)]
            labels = labels_for({(kind, key) for key in keys if key}, services)
        self.world.otobo.submit(
            self._ticket(call),
            call["field"],
            texts,
            user_id=_author(call.get("user_id")),
            labels=labels,
        )

    def event_run(self, call: Json) -> None:
        """The event module is called by hand: somebody emits an event."""
        event = {"type": "ticket.customer_changed", "time": self.world.clock().isoformat()}
        if call.get("no_ticket_id"):
            self.malformed += 1
        else:
            event["ticket_id"] = str(call.get("ticket_id") or self._ticket(call))
        self.fieldfare.publish(event)

    def _ticket(self, call: Json) -> int:
        name = ticket_of(call)
        if name not in self.tickets:
            msg = f"there is no ticket {name}"
            raise CannotPlay(msg)
        return self.tickets[name]

    # -- the world

    def sql(self, call: Json) -> None:
        self.world.sql(call["sql"], call.get("database"))

    def cache_cleanup(self, _call: Json) -> None:
        self.fieldfare.clear_cache()

    def ldap_add(self, call: Json) -> None:
        self._ldap(lambda line: line.add(call["dn"], attributes=attributes(call["attrs"])))

    def ldap_delete(self, call: Json) -> None:
        self._ldap(lambda line: line.delete(call["dn"]))

    def ldap_modify(self, call: Json) -> None:
        kinds = {
            "add": ldap3.MODIFY_ADD,
            "replace": ldap3.MODIFY_REPLACE,
            "delete": ldap3.MODIFY_DELETE,
        }
        changes: dict[str, list[Any]] = {}
        for kind, how in kinds.items():
            given = call.get(kind) or {}
            named = given if isinstance(given, Mapping) else {name: [] for name in _list(given)}
            for name, value in attributes(named).items():
                changes.setdefault(name, []).append((how, _list(value)))
        if not changes:
            msg = "ldap_modify names no change"
            raise CannotPlay(msg)
        self._ldap(lambda line: line.modify(call["dn"], changes))

    def _ldap(self, change: Callable[[Any], tuple[Any, ...]]) -> None:
        line = self.world.ldap()
        try:
            _, result, *_ = change(line)
        finally:
            line.unbind()
        if result["description"] != "success":
            msg = f"slapd: {result['description']} {result['message']}"
            raise CannotPlay(msg)

    def code(self, call: Json) -> None:
        do = call.get("do")
        if do == "open_port":
            gate = self.world.ports.gate(int(call["port"]))
            gate.open(self.world.target(call["service"]))
        elif do == "close_port":
            self.world.ports.gate(int(call["port"])).shut()
        elif do == "set_password_as":
            self._answer = directory_writes.set_password_as(self, call)
        elif do == "generate_password":
            self._answer = self._asked(directory_writes.generate_password, call)
        else:
            msg = f"unknown do {do!r}: {call.get('what')}"
            raise CannotPlay(msg)

    # -- the directory

    def call(self, call: Json) -> None:
        method, args = call["method"], call.get("args") or {}
        ours = directory_writes.CALLS.get(method)
        if ours is not None and self.case.topic == directory_writes.TOPIC:
            self._answer = self._asked(partial(ours, self), args)
        elif method in customer_users.WRITES:
            customer_users.WRITES[method](self, args)
        elif ours is not None:
            self._answer = self._asked(partial(ours, self), args)
        else:
            self._answer = self._asked(lambda services, given: ask(services, method, given), args)

    def customer_auth(self, call: Json) -> None:
        self._answer = directory_writes.customer_auth(self, call)

    def _asked(self, ask_: Callable[[Services, Json], Said], args: Json) -> Said:
        """What Fieldfare says, if its configuration lets it start."""
        services = self.fieldfare.services
        if services is None:
            return Said(f"the worker does not start: {self.fieldfare.refusal}")
        return ask_(services, args)


_PLAYED: Mapping[str, Callable[[Player, Json], None]] = {
    "ticket_create": Player.ticket_create,
    "ticket_customer_set": Player.ticket_customer_set,
    "dynamic_field_set": Player.dynamic_field_set,
    "event_run": Player.event_run,
    "sql": Player.sql,
    "cache_cleanup": Player.cache_cleanup,
    "ldap_add": Player.ldap_add,
    "ldap_delete": Player.ldap_delete,
    "ldap_modify": Player.ldap_modify,
    "code": Player.code,
    "call": Player.call,
    "customer_auth": Player.customer_auth,
}


def _author(user_id: Any) -> int:
    """A recorded user; nobody but the worker is the worker's user here."""
    author = int(user_id or ROOT)
    return author + STRANGERS if author == WORKER else author


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
