"""What happens in the demo: requests of a small ticket system, each emitting its events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mapping.model import EventHint
from worker.demo.sample import World
from worker.demo.ticket_system import AGENT, Otobo
from worker.events import CustomerChanged, TicketCreated, TicketEvent


@dataclass(frozen=True, slots=True)
class Scene:
    """One ticket and what was done with it.

    Attributes:
        told: what happened, for people.
        before: readable field values as the ticket system's requests left them.
        hints: what the events told; ``explain`` needs them to give the same reasons.
    """

    ticket_id: int
    told: str
    before: Mapping[str, str]
    hints: Sequence[EventHint]


Emit = Callable[[TicketEvent], object]


def play(otobo: Otobo, emit: Emit) -> list[Scene]:
    """Play all requests; the worker may be at work on the first while the last is played."""
    return [
        _created(otobo, emit, "anna", "a mail from anna, whom the CRM knows"),
        _created(otobo, emit, "emma", "a mail from emma, whom only the LDAP directory knows"),
        _phone_call(otobo, emit, "carl", "+46 70 9999"),
        _moved(otobo, emit, "anna", "gita"),
        _created(otobo, emit, "nobody@example.net", "a mail from a stranger"),
    ]


def first_tickets(world: World, emit: Emit) -> list[Scene]:
    """Two tickets for an embedded worker, so that there is something to look at."""
    otobo = Otobo(world.ticket_url)
    try:
        return [
            _created(otobo, emit, "anna", "a mail from anna, whom the CRM knows"),
            _phone_call(otobo, emit, "carl", "+46 70 9999"),
        ]
    finally:
        otobo.close()


def _created(otobo: Otobo, emit: Emit, customer_user: str, told: str) -> Scene:
    ticket_id = otobo.create_ticket(customer_user, "example")
    otobo.add_article(ticket_id, "EmailCustomer")
    return _told(otobo, emit, ticket_id, told, TicketCreated(ticket_id=ticket_id))


def _phone_call(otobo: Otobo, emit: Emit, customer_user: str, typed: str) -> Scene:
    """An agent takes a call and types the number that is to be called back."""
    ticket_id = otobo.create_ticket(customer_user, "example", user_id=AGENT)
    otobo.set_value(ticket_id, "CustomerPhone", typed, user_id=AGENT)
    otobo.add_article(ticket_id, "PhoneCallCustomer", user_id=AGENT)
    event = TicketCreated(
        ticket_id=ticket_id, screen="AgentTicketPhone", fields=("CustomerPhone",), user_id=AGENT
    )
    told = f"a call from {customer_user}; the agent types a phone number"
    return _told(otobo, emit, ticket_id, told, event)


def _moved(otobo: Otobo, emit: Emit, first: str, then: str) -> Scene:
    ticket_id = otobo.create_ticket(first, "example")
    otobo.add_article(ticket_id, "EmailCustomer")
    emit(TicketCreated(ticket_id=ticket_id))
    otobo.set_customer(ticket_id, then, "example", user_id=AGENT)
    told = f"a mail from {first}; then an agent sets the customer user to {then}"
    return _told(otobo, emit, ticket_id, told, CustomerChanged(ticket_id=ticket_id, user_id=AGENT))


def _told(otobo: Otobo, emit: Emit, ticket_id: int, told: str, event: TicketEvent) -> Scene:
    stored = otobo.values(ticket_id)
    before = {name: ", ".join(str(value) for value in values) for name, values in stored.items()}
    hint = EventHint(
        created=isinstance(event, TicketCreated),
        changed=isinstance(event, CustomerChanged),
        screen=event.screen,
        fields=frozenset(event.fields),
    )
    emit(event)
    return Scene(ticket_id, told, before, (hint,))
