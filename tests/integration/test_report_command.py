"""``fieldfare report`` as an operator reads it: tables, JSON, CSV, a page, exit codes."""

import csv
import importlib.util
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner, Result

from tests.integration.world import World
from worker import cli
from worker.tickets import schema

AWAY = """
[sources.CustomerUser1]
kind = "ldap"
host = "ldap://127.0.0.1:1"
base_dn = "dc=example"
customer_key = "uid"
customer_id = "o"
map = { UserLogin = "uid", UserPhone = "phone" }
"""

HOSTILE = 'Support::<script>alert("1")</script> $x^2$ & \x1b[2J'

Run = Callable[..., Result]


@pytest.fixture
def settings(small_world: World, tmp_path: Path) -> Path:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "VALUE-1")
    for number in range(4):
        ticket = small_world.ticket("anna")
        if number:
            small_world.otobo.insert_value(ticket, "Phone", value_text="VALUE-1")
    return small_world.write_settings(tmp_path)


@pytest.fixture
def run(settings: Path) -> Run:
    def invoke(*arguments: str, exit_code: int = 0) -> Result:
        config = {"FIELDFARE_CONFIG": str(settings), "COLUMNS": "100"}
        done = CliRunner().invoke(cli.app, ["report", *arguments], env=config)
        assert done.exit_code == exit_code, done.output
        assert isinstance(done.exception, SystemExit | None), "that is how it was meant to end"
        assert "VALUE" not in done.output
        assert "anna" not in done.output
        return done

    return invoke


def test_a_table_tells_what_stands_in_each_field(run: Run) -> None:
    out = " ".join(run().stdout.split())

    assert out.startswith("4 tickets field")
    assert "Phone │ 3 (75.0 %) │ is filled" in out
    assert "│ 3 (75.0 %) │ holds what the directory says" in out
    assert "│ 1 (25.0 %) │ empty, and the directory has a value" in out
    assert "drift" not in out
    assert "queue" not in out, "there is only one"


def test_a_sample_tells_how_far_it_can_be_off(run: Run) -> None:
    out = run("--sample", "2").stdout

    assert "4 tickets; the directory was asked about 2 of them" in out
    assert "±" in out


def test_queues_are_shown_beside_each_other(small_world: World, run: Run) -> None:
    small_world.otobo.update_ticket(1, queue_id=3)

    out = " ".join(run().stdout.split())

    assert "Raw │ 3 │ 100.0 % Junk │ 1 │ 0.0 %" in out


def test_json_holds_estimates_with_their_bounds(run: Run) -> None:
    told = json.loads(run("--json").stdout)

    assert (told["tickets"], told["looked"], told["full"]) == (4, 4, True)
    (field,) = told["fields"]
    assert (field["field"], field["filled"]) == ("Phone", 3)
    assert field["states"]["same"] == {"number": 3, "low": 3, "high": 3}
    assert field["drift"]["number"] == 1
    (group,) = told["groups"]
    assert (group["queue"], group["open"], group["tickets"]) == ("Raw", True, 4)
    assert group["states"]["missing"] == 1


def test_csv_has_a_line_for_each_group_and_field(run: Run) -> None:
    head, line = csv.reader(io.StringIO(run("--full", "--csv").stdout))

    told = dict(zip(head, line, strict=True))
    assert {name: told[name] for name in ("queue", "open", "field", "tickets", "filled")} == {
        "queue": "Raw",
        "open": "open",
        "field": "Phone",
        "tickets": "4",
        "filled": "3",
    }
    assert (told["looked"], told["same"], told["missing"]) == ("4", "3", "1")


@pytest.mark.parametrize(
    ("arguments", "tickets"),
    [
        (("--ticket", "1", "--ticket", "3"), 2),
        (("--number", "2026000000000002"), 1),
        (("--customer-user", "anna"), 4),
        (("--customer", "OTHER"), 1),
        (("--state", "closed successful"), 1),
        (("--state-type", "closed", "--customer", "ACME"), 0),
        (("--changed-from", "2030-01-01"), 1),
        (("--changed-to", "2029-12-31", "--open"), 4),
    ],
)
def test_tickets_are_chosen_as_for_a_resync(
    small_world: World, run: Run, arguments: tuple[str, ...], tickets: int
) -> None:
    of_others = small_world.ticket("berta")
    small_world.otobo.update_ticket(
        of_others, customer_id="OTHER", ticket_state_id=2, change_time="2030-01-01 12:00:00"
    )

    told = json.loads(run(*arguments, "--full", "--json", exit_code=int(not tickets)).stdout)

    assert told["tickets"] == told["looked"] == tickets


def test_a_source_that_is_away_is_named_and_ends_with_three(
    small_world: World, settings: Path, run: Run
) -> None:
    small_world.ticket("somebody in LDAP")
    settings.write_text(settings.read_text().replace("[mapping", AWAY + "\n[mapping"))

    done = run(exit_code=3)

    assert "CustomerUser1 does not answer; nothing is known of 1 of the tickets" in done.stderr
    assert "1 (20.0 %) │ not known, for a source does not answer" in " ".join(done.stdout.split())


def test_no_ticket_ends_with_one(run: Run) -> None:
    assert "there is no such ticket" in run("--queue", "Junk", exit_code=1).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--queue", "Row"), "there is no queue Row; there are Raw"),
        (("--created-from", "soon"), "--created-from 'soon' is no day and no time"),
        (("--json", "--csv"), "give --json or --csv, not both"),
        (("--full", "--sample", "3"), "give --full or --sample, not both"),
        (("--html", "."), ". is a folder; right: --html report.html"),
        (("--html", "/no/such/report.html"), "is in a folder that there is not"),
    ],
)
def test_what_cannot_be_asked_ends_with_two(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    assert said in " ".join(run(*arguments, exit_code=2).stderr.replace("│", "").split())


def test_a_page_needs_the_extra(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "worker.reporting.page.find_spec",
        lambda name: None if name == "matplotlib" else found(name),
    )

    done = run("--html", str(tmp_path / "r.html"), exit_code=2)

    assert "pip install 'fieldfare[report]'" in done.stderr


class Page(HTMLParser):
    """What a page is made of.

    Attributes:
        tags: names of its elements.
        loads: what a browser would load, or follow.
        ids: of its elements.
        opened: elements that were not closed.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.opened: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in {"meta", "link"}:
            self.opened.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "srcset", "action", "data"}:
                self.loads.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            assert not name.startswith("on"), "a script"

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def test_a_page_stands_alone_and_runs_no_script(
    small_world: World, run: Run, tmp_path: Path
) -> None:
    with small_world.otobo.engine.begin() as connection:
        queue = schema.queue
        connection.execute(update(queue).where(queue.c.id == 3).values(name=HOSTILE))
    small_world.otobo.update_ticket(1, queue_id=3)
    file = tmp_path / "report.html"

    run("--html", str(file), "--open")

    text = file.read_text()
    page = Page(text)
    assert page.opened == []
    assert {"svg", "table"} <= page.tags
    assert "script" not in page.tags
    assert all(one.startswith(("#", "data:,")) for one in page.loads)
    assert len(page.ids) == len(set(page.ids))
    assert not re.findall(r"@import|url\((?!#)", text)
    assert "Support::&lt;script&gt;" in text
    assert "$x^2$" in text
    assert "VALUE" not in text
    assert "anna" not in text
    assert "Tickets: --open" in text


def test_a_page_of_no_ticket_says_so(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "report.html"

    run("--html", str(file), "--queue", "Junk", exit_code=1)

    assert "There is no such ticket." in file.read_text()
