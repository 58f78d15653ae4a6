"""Events that name no ticket: they leave the inbox, and hold up nothing that does."""

from structlog.testing import capture_logs

from tests.integration.world import World, changed, handle, statements
from worker.dead_letters import DEAD
from worker.events import CustomerCompanyChanged, CustomerUserChanged
from worker.inbox import EVENTS
from worker.outcomes import Kind

RENAMED = CustomerUserChanged(login="anna", source="CustomerUser", renamed_to="anne")
COMPANY = CustomerCompanyChanged(customer_id="ACME", fields=("CustomerCompanyName",))


def test_they_leave_the_inbox_beside_those_of_tickets(small_world: World) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna")
    ticket, services = small_world.ticket("anna"), small_world.services()

    with capture_logs() as logs:
        outcomes = handle(services, RENAMED, changed(ticket), COMPANY, {"type": "customer_user.x"})

    assert [one.kind for one in outcomes] == [
        Kind.IGNORED,
        Kind.WRITTEN,
        Kind.IGNORED,
        Kind.MALFORMED,
    ]
    assert [one.ticket_id for one in outcomes] == [None, ticket, None, None]
    assert small_world.values(ticket) == {"Phone": ["1"]}
    assert services.inbox.client.xlen(EVENTS) == 0
    assert services.inbox.client.xlen(DEAD) == 1, "the malformed one alone"
    ignored = [line for line in logs if line["event"] == "event.ignored"]
    assert [line["type"] for line in ignored] == [RENAMED.type, COMPANY.type]
    assert "no field follows" in ignored[0]["reason"]
    assert "anne" not in str(ignored), "whose data changed is told by the audit"


def test_a_batch_of_them_alone_asks_no_database(small_world: World) -> None:
    services = small_world.services()

    with statements() as seen:
        outcomes = handle(
            services, RENAMED, {"type": "customer_company.changed", "customer_id": "A"}
        )

    assert [one.kind for one in outcomes] == [Kind.IGNORED] * 2
    assert seen == {}
    assert services.inbox.client.xlen(EVENTS) == 0
