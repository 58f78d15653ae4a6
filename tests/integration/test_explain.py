"""What a ticket's fields hold, why, and who wrote them."""

import pytest

from tests.integration.world import World, created, handle
from tests.otobo import AGENT
from worker.handlers.explain import Explanation, PastWrite, explain
from worker.services import Services

LONG_NAME = "Customer" + "Phone" * 32


def explained(ticket: int, services: Services) -> Explanation:
    found = explain(ticket, services)
    assert found is not None
    return found


def test_a_fields_past_tells_which_lines_were_ours(world: World) -> None:
    world.otobo.add_fields(["Phone", "Mail"])
    world.person("anna", "1")
    ticket = world.ticket("anna")
    services = world.services({"UserPhone": "Phone", "UserEmail": "Mail"})
    handle(services, created(ticket))
    world.otobo.set_value(ticket, "Phone", "2", old="1", user_id=AGENT)

    mail, phone = explained(ticket, services).fields

    assert [(one.ours, one.old, one.new, one.certain) for one in phone.past] == [
        (True, "", "1", True),
        (False, "1", "2", True),
    ]
    assert phone.past[0].by == "fieldfare"
    assert phone.past[0].line < phone.past[1].line
    assert [(one.ours, one.new) for one in mail.past] == [(True, "anna@example.com")]


@pytest.mark.parametrize("name", [LONG_NAME, LONG_NAME[:-5]])
def test_a_line_with_a_cut_name_may_be_of_any_field_that_begins_so(world: World, name: str) -> None:
    world.otobo.add_fields([LONG_NAME, LONG_NAME[:-5], "Phone"])
    ticket = world.ticket("anna")
    world.otobo.add_update_line(ticket, LONG_NAME, "1", user_id=AGENT)
    services = world.services({"UserPhone": name, "UserEmail": "Phone"})

    past = {one.field: one.past for one in explained(ticket, services).fields}

    (found,) = past[name]
    assert isinstance(found, PastWrite)
    assert not found.certain
    assert past["Phone"] == ()
