"""Erasure on request, on every kind of database: what goes, what stays, and what is told of it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.contract.ldap_source import LdapDirectory
from tests.integration.world import (
    World,
    changed,
    created,
    handle,
    interfered,
    ldap_people,
)
from tests.otobo import AGENT, WORKER
from tests.servers import SlapdServer
from worker import audit, cli, renames
from worker.handlers.explain import explain
from worker.handlers.forget import Forgotten, PlaceholderRefused, forget
from worker.services import Services
from worker.tickets.history import field_update

PERSON = {"UserPhone": "Phone", "UserFirstname": "Name", "UserEmail": "Mail"}
ERASED = "(erased)"


def quiet(step: str, done: int, total: int) -> None:
    assert step in {"searching", "forgetting"}
    assert 0 <= done <= total


def forgotten(services: Services, login: str = "anna", *, dry_run: bool = False) -> Forgotten:
    return forget(services, login, dry_run=dry_run, progress=quiet)


def filled(world: World, services: Services, login: str = "anna") -> int:
    """A ticket that the worker has filled."""
    ticket = world.ticket(login)
    handle(services, created(ticket))
    return ticket


@pytest.fixture
def people(world: World) -> World:
    world.otobo.add_fields(PERSON.values())
    world.person("anna", "VALUE-1", first_name="VALUE-Anna")
    world.person("bert", "2", first_name="Bert")
    return world


def test_what_the_worker_wrote_goes_from_fields_and_from_its_lines(people: World) -> None:
    services = people.services(PERSON)
    ticket, other = filled(people, services), filled(people, services, "bert")

    done = forgotten(services)

    assert people.values(ticket) == {}
    assert not any("VALUE" in line or "anna@" in line for line in people.lines(ticket))
    assert people.lines(ticket) == [
        *(field_update(name, ERASED, "") for name in ("Mail", "Name", "Phone")),
        *(field_update(name, "", ERASED) for name in ("Mail", "Name", "Phone")),
    ]
    assert people.values(other)["Phone"] == ["2"]
    assert field_update("Phone", "2", "") in people.lines(other)
    assert (done.tickets, done.emptied, done.lines) == (1, dict.fromkeys(PERSON.values(), 1), 3)
    assert (done.naming, done.foreign, done.left) == (1, (0, 0), [])


def test_what_others_wrote_stays_and_is_counted(people: World) -> None:
    services = people.services(PERSON)
    ticket = filled(people, services)
    people.otobo.set_value(ticket, "Phone", "agent's", old="VALUE-1", user_id=AGENT)
    people.otobo.add_field("Unmapped")
    people.otobo.set_value(ticket, "Unmapped", "agent's", user_id=AGENT)

    done = forgotten(services)

    assert people.values(ticket) == {"Phone": ["agent's"], "Unmapped": ["agent's"]}
    assert field_update("Phone", "agent's", "VALUE-1") in people.otobo.lines(ticket, AGENT)
    assert done.emptied == {"Mail": 1, "Name": 1}
    assert (done.others, done.foreign) == ({"Phone": 1}, (2, 1))


def test_a_ticket_that_they_had_before_is_found_by_its_history(people: World) -> None:
    services = people.services(PERSON)
    ticket = filled(people, services)
    people.otobo.set_customer(ticket, "bert")
    handle(services, changed(ticket))

    done = forgotten(services)

    assert people.values(ticket)["Phone"] == ["2"]
    assert field_update("Phone", "2", ERASED) in people.lines(ticket)
    assert not any("VALUE" in line or "anna@" in line for line in people.lines(ticket))
    assert (done.tickets, done.emptied, done.lines) == (1, {}, 6)


def test_a_field_that_is_no_longer_mapped_is_emptied_too(people: World) -> None:
    ticket = filled(people, people.services(PERSON))

    done = forgotten(people.services({"UserPhone": "Phone"}))

    assert people.values(ticket) == {}
    assert done.emptied == {"Mail": 1, "Name": 1, "Phone": 1}


def test_a_dry_run_tells_the_same_and_writes_nothing(people: World) -> None:
    services = people.services(PERSON)
    ticket = filled(people, services)
    before = people.values(ticket), people.otobo.history(ticket), people.otobo.ticket(ticket)

    planned = forgotten(services, dry_run=True)

    assert before == (
        people.values(ticket),
        people.otobo.history(ticket),
        people.otobo.ticket(ticket),
    )
    assert planned == forgotten(services)


def test_running_it_again_finds_nothing(people: World) -> None:
    services = people.services(PERSON, forget={"placeholder": {"Name": "nobody"}})
    ticket = filled(people, services)
    forgotten(services)
    history = people.otobo.history(ticket)

    again = forgotten(services)

    assert people.otobo.history(ticket) == history
    assert (again.emptied, again.replaced, again.lines) == ({}, {}, 0)


def test_settings_keep_fields_and_put_a_placeholder_into_others(people: World) -> None:
    settings = {"keep": ["Mail"], "placeholder": {"Name": "nobody"}}
    services = people.services(PERSON, forget=settings)
    ticket = filled(people, services)

    done = forgotten(services)

    assert people.values(ticket) == {"Mail": ["anna@example.com"], "Name": ["nobody"]}
    lines = people.lines(ticket)
    assert field_update("Mail", "anna@example.com", "") in lines
    assert field_update("Name", "nobody", ERASED) in lines
    assert (done.kept, done.replaced, done.emptied) == ({"Mail": 1}, {"Name": 1}, {"Phone": 1})


@pytest.mark.parametrize(
    ("field_type", "said"),
    [
        ("Date", "forget.placeholder.Name: not a value for a field of the type Date"),
        ("Video", "forget.placeholder.Name: fields of the type Video are not written"),
        (None, "forget.placeholder.Name: no dynamic field has this name; case matters"),
    ],
)
def test_a_placeholder_that_does_not_fit_stops_it_before_it_begins(
    small_world: World, field_type: str | None, said: str
) -> None:
    small_world.otobo.add_field("Phone")
    if field_type:
        small_world.otobo.add_field("Name", field_type)
    small_world.person("anna", "1")
    services = small_world.services(forget={"placeholder": {"Name": "nobody"}})
    ticket = filled(small_world, services)

    with pytest.raises(PlaceholderRefused, match=said):
        forgotten(services)
    assert small_world.values(ticket) == {"Phone": ["1"]}


def test_a_value_of_every_field_type_goes(small_world: World) -> None:
    small_world.otobo.add_field("Phone", "Checkbox")
    small_world.otobo.add_field("Name", "Multiselect")
    small_world.otobo.add_field("Mail", config={"MultiValue": 1})
    small_world.person("anna", "1")
    services = small_world.services(PERSON)
    ticket = filled(small_world, services)

    forgotten(services)

    assert small_world.values(ticket) == {"Phone": [0]}, "what the type leaves behind"
    assert forgotten(services).emptied == {}


def test_the_guard_neither_counts_it_nor_stops_it(small_world: World) -> None:
    small_world.otobo.add_fields(["Phone"])
    small_world.person("anna", "1")
    few = {"erasures": {"number": 1, "share": 0.1}}
    services = small_world.services(guard=few)
    tickets = [filled(small_world, services) for _ in range(4)]

    forgotten(services)

    assert [small_world.values(ticket) for ticket in tickets] == [{}] * 4
    services.guard.check()
    small_world.person("bert", "2")
    assert small_world.values(filled(small_world, services, "bert")) == {"Phone": ["2"]}


def test_who_is_still_in_the_directory_is_told(small_world: World, slapd: SlapdServer) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    people = {"CustomerUser": small_world.people, "CustomerUser1": ldap_people(slapd)}
    services = small_world.services(sources=people)

    assert forgotten(services, dry_run=True).known == "CustomerUser"
    assert forgotten(services, "nobody", dry_run=True) == Forgotten()
    slapd.stop()
    assert forgotten(services, "nobody", dry_run=True).silent == "CustomerUser1"


def test_copies_and_lines_of_the_audit_are_dropped(small_world: World, slapd: SlapdServer) -> None:
    small_world.otobo.add_field("Phone")
    directory = LdapDirectory(slapd)
    directory.add_person("anna", "Anna", "Berg", "a@example.com", "ACME", "VALUE-1")
    directory.close()
    people = {"CustomerUser": ldap_people(slapd, cache_ttl=60, stale_if_unavailable=60)}
    services = small_world.services(sources=people)
    filled(small_world, services)
    client = services.inbox.client
    audit.write(client, audit.Line("admin", "customer_user.update", ("anna",)), 10)
    audit.write(client, audit.Line("admin", "customer_user.update", ("bert",)), 10)
    for old in ("anna", "bert"):
        renames.begin(client, renames.Rename(old, "carl", "CustomerUser"))

    done = forgotten(services)

    kept = [client.get(key) for key in client.keys("fieldfare:cache:*") if b"changed" not in key]
    assert not any(b"VALUE" in (one or b"") for one in kept)
    assert done.audit == 1
    assert [one.line.customer_users for one in audit.newest(client, 10)] == [("bert",)]
    assert [one.old for one in renames.begun(client)] == ["bert"]


def test_otobo_forgets_its_copies(small_world: World, tmp_path: Path) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    cache = tmp_path / "cache"
    settings = {"otobo_cache": {"kind": "file", "directory": str(cache)}}
    services = small_world.services(tickets=settings)
    ticket = filled(small_world, services)
    path = services.otobo_cache.path("DynamicFieldValue", f"ValueGet::ObjectID::{ticket}")
    path.parent.mkdir(parents=True)
    path.touch()

    assert forgotten(services).cached == []
    assert not path.exists()


def test_a_ticket_that_somebody_changes_meanwhile_is_read_again(small_world: World) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    services = small_world.services()
    ticket = filled(small_world, services)

    def meddle() -> None:
        if small_world.values(ticket) == {"Phone": ["1"]}:
            small_world.otobo.set_value(ticket, "Phone", "agent's", old="1", user_id=AGENT)

    done = forgotten(interfered(services, meddle))

    assert small_world.values(ticket) == {"Phone": ["agent's"]}
    assert (done.emptied, done.others, done.left) == ({}, {"Phone": 1}, [])
    assert field_update("Phone", ERASED, "") in small_world.lines(ticket)


def test_who_is_cut_off_between_fields_and_lines_goes_on_with_the_lines(
    small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    services = small_world.services()
    ticket = filled(small_world, services)

    def cut_off(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(services.erasing, "overwrite", cut_off)
        with pytest.raises(KeyboardInterrupt):
            forgotten(services)
    assert small_world.values(ticket) == {}
    assert field_update("Phone", "1", "") in small_world.lines(ticket)

    again = forgotten(services)

    assert (again.emptied, again.lines) == ({}, 1)
    assert field_update("Phone", "1", "") not in small_world.lines(ticket)


def test_lines_of_others_are_never_overwritten(world: World) -> None:
    services = world.services()
    ticket = world.ticket("anna")
    theirs = world.otobo.add_update_line(ticket, "Phone", "1", user_id=AGENT)
    ours = world.otobo.add_update_line(ticket, "Phone", "1", user_id=WORKER)

    assert services.erasing.overwrite({ticket: {theirs: "x", ours: "y"}}) == 1
    assert world.otobo.lines(ticket, AGENT) == [field_update("Phone", "1", "")]
    assert world.lines(ticket) == ["y"]


def test_a_field_that_cannot_be_written_is_named(small_world: World) -> None:
    field_id = small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    services = small_world.services()
    ticket = filled(small_world, services)
    small_world.otobo.change_field(field_id, valid_id=2)

    done = forgotten(services)

    assert done.refused == {"Phone": 1}
    assert small_world.values(ticket) == {"Phone": ["1"]}


def test_the_field_is_filled_again_only_while_the_directory_knows_them(small_world: World) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    services = small_world.services()
    ticket = filled(small_world, services)
    forgotten(services)

    handle(services, changed(ticket))
    assert small_world.values(ticket) == {"Phone": ["1"]}

    small_world.crm.execute("DELETE FROM people")
    forgotten(services)
    handle(services, changed(ticket))
    assert small_world.values(ticket) == {}
    found = explain(ticket, services)
    assert found is not None
    assert [one.new for one in found.fields[0].past] == [ERASED, "", ERASED, ""]


# -- the command

Run = Callable[..., Result]


@pytest.fixture
def run(small_world: World, tmp_path: Path) -> Run:
    """The command, with a ticket that is filled."""
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "VALUE-1")
    filled(small_world, small_world.services())
    file = small_world.write_settings(tmp_path)

    def invoke(*arguments: str, exit_code: int = 0) -> Result:
        config = {"FIELDFARE_CONFIG": str(file), "COLUMNS": "100"}
        done = CliRunner().invoke(cli.app, ["forget", *arguments], env=config)
        assert done.exit_code == exit_code, done.output
        assert isinstance(done.exception, SystemExit | None), "that is how it was meant to end"
        assert "VALUE" not in done.output
        return done

    return invoke


def test_the_command_tells_what_it_did_and_what_is_left_to_do(small_world: World, run: Run) -> None:
    done = run("anna", "--yes")

    out = " ".join(done.stdout.split())
    assert out.startswith("anna has or had 1 tickets.")
    assert "Phone │ 1 │ were emptied" in out
    assert "1 history lines of Fieldfare were overwritten." in out
    assert "The login stands in the history of 1 tickets" in out
    assert "The guard against mass changes does not count this." in out
    assert "CustomerUser still knows them" in done.stderr
    assert small_world.values(1) == {}


def test_the_command_looks_without_writing(small_world: World, run: Run) -> None:
    assert "Phone │ 1 │ would be emptied" in " ".join(run("anna", "--dry-run").stdout.split())
    assert small_world.values(1) == {"Phone": ["VALUE-1"]}


def test_nobody_is_forgotten_unconfirmed(small_world: World, run: Run) -> None:
    done = run("anna", exit_code=2)

    assert "look with --dry-run, and confirm with --yes" in done.stderr
    assert small_world.values(1) == {"Phone": ["VALUE-1"]}


def test_the_command_tells_programs(run: Run) -> None:
    told: Mapping[str, Any] = json.loads(run("anna", "--yes", "--json").stdout)

    assert (told["tickets"], told["emptied"], told["own_lines"]) == (1, {"Phone": 1}, 1)
    assert (told["known_to"], told["does_not_answer"]) == ("CustomerUser", None)
    assert told["lines_by_others"] == {"lines": 0, "tickets": 0}


def test_a_login_without_tickets_ends_with_one(run: Run) -> None:
    said = run("bert", "--yes", exit_code=1).stderr

    assert "no ticket has or had the customer user 'bert'; capital letters count" in said


def test_the_spelling_of_the_directory_counts_too(small_world: World, run: Run) -> None:
    run("Anna", "--yes")

    assert small_world.values(1) == {}
