"""What was not given is asked for, on a real terminal."""

import os
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.integration.admin_site import SECRET, Site
from tests.terminal import Terminal

Start = Callable[..., Terminal]


@pytest.fixture
def start(site: Site) -> Iterator[Start]:
    """Starts commands on terminals."""
    started: list[Terminal] = []

    def make(*arguments: str) -> Terminal:
        command = [sys.executable, "-m", "worker", "customer-user", *arguments, "--local"]
        variables = {**os.environ, "FIELDFARE_CONFIG": str(site.settings), "COLUMNS": "120"}
        started.append(Terminal(command, site.settings.parent, variables))
        return started[-1]

    yield make
    for one in started:
        one.close()


def test_required_fields_and_a_password_are_asked_for(site: Site, start: Start) -> None:
    terminal = start("add", "jane", "--email", "jane@example.com", "--customer-id", "acme")

    terminal.until("Title or salutation [Mr., Mrs., Dr. (Doctor)]: ")
    terminal.type("Sir\n")
    terminal.until("It is none of these: Mr., Mrs., Dr. (Doctor).")
    terminal.until(": ")
    terminal.type("doctor\n")
    terminal.until("Firstname: ")
    terminal.type("\n")
    terminal.until("It is required.")
    terminal.until(": ")
    terminal.type("Jane\n")
    terminal.until("Lastname: ")
    terminal.type("Doe\n")
    terminal.until("Password [empty: one is made and shown]: ")
    terminal.type(f"{SECRET}\n")
    terminal.until("Once more: ")
    terminal.type("something else\n")
    terminal.until("They are not the same.")
    terminal.until("Password [empty: one is made and shown]: ")
    terminal.type(f"{SECRET}\n")
    terminal.until("Once more: ")
    terminal.type(f"{SECRET}\n")
    terminal.until("jane was added to CustomerUser.")

    assert terminal.ended() == 0
    assert SECRET not in terminal.shown
    stored = site.row("jane")
    assert (stored["title"], stored["first_name"]) == ("Dr.", "Jane")
    assert stored["pw"].startswith("BCRYPT:")


def test_a_replacing_update_offers_what_is_there(site: Site, start: Start) -> None:
    terminal = start("update", "anna", "--replace", "--email", "anna@example.org")

    for question in ("Title or salutation", "Firstname", "Lastname", "CustomerID"):
        terminal.until(f"{question} [")
        terminal.until(": ")
        terminal.until("]: ")
        terminal.type("\n")
    terminal.until("anna was changed.")

    assert terminal.ended() == 0
    stored = site.row("anna")
    assert (stored["email"], stored["title"]) == ("anna@example.org", "Dr.")
    assert not stored["phone"]


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_who_gives_up_writes_nothing_and_is_told(site: Site, start: Start, key: str) -> None:
    before = site.row("anna")
    terminal = start("set-password", "anna")

    terminal.until("Password: ")
    terminal.type(key)

    terminal.until("nothing was written")

    assert terminal.ended() == 130
    assert "Traceback" not in terminal.shown
    assert site.row("anna") == before
