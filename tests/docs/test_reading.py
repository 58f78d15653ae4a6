"""Whoever reads the pages for us notices what is wrong in them."""

import shlex
import textwrap
from pathlib import Path

import pytest

from tests.docs import pages, settings_blocks, stand_ins
from tests.docs.pages import Block
from tests.docs.shell import Step, said_as_shown, steps


def block(language: str, text: str) -> Block:
    return Block(pages.ROOT / "README.md", 1, language, text)


def test_a_block_is_found_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """\
        # Page

        1. A step:

           ```sh
           in a list
           ```

        ~~~toml
        x = 1
        ~~~

            by indentation
        """
    page = pages.ROOT / "README.md"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: textwrap.dedent(text))
    pages._parsed.cache_clear()
    try:
        tokens = pages._tokens(page, "fence")
        found = [pages._block(page, token) for token in tokens]
        indented = pages.indented_blocks(page)
    finally:
        pages._parsed.cache_clear()

    assert found == [
        Block(page, 5, "sh", "in a list\n"),
        Block(page, 9, "toml", "x = 1\n"),
    ]
    assert indented == [13]


# -- transcripts


def test_a_transcript_is_commands_and_what_they_print() -> None:
    text = "$ one \\\n> two\nfirst\n\nsecond\n$ three\n"
    assert list(steps(text)) == [Step("one \\\ntwo", "first\n\nsecond"), Step("three", "")]


@pytest.mark.parametrize(
    ("said", "shown", "same"),
    [
        ("a\nb\n", "a\nb", True),
        ("a  \nb\n\n", "a\nb", True),
        ("a\nc\n", "a\nb", False),
        ("a\nb\nc\n", "a\nb", False),
        ("a\n", "a\nb", False),
        ("a 12.5 ms\n", "a … ms", True),
        ("a 12.5 s\n", "a … ms", False),
        ("a\nb\nc\nd\n", "a\n…\nd", True),
        ("a\nd\n", "a\n…\nd", True),
        ("a\nb\nc\n", "a\n…\nd", False),
        ("a.b\n", "a?b", False),
        ("", "", True),
        ("a\n", "", False),
    ],
)
def test_an_output_is_compared_line_by_line(said: str, shown: str, same: bool) -> None:
    assert said_as_shown(said, shown) is same


# -- commands that are read and not run


@pytest.mark.parametrize(
    "line",
    [
        "apt-get install redis-server",
        "celery -A worker.app inspect ping",
        "cp examples/fieldfare.toml /etc/fieldfare/fieldfare.toml",
        "docker-compose up --detach --scale worker=3",
        "docker-compose logs --follow worker",
        "docker-compose exec worker fieldfare lookup anna",
        "make lock LOCK_FLAGS=--upgrade",
        "pip install --require-hashes -r requirements/run.txt",
        "pytest tests/unit -k 'agents and mariadb'",
        "systemctl enable --now redis-server",
    ],
)
def test_a_right_command_line_is_taken(line: str) -> None:
    command, *arguments = shlex.split(line)
    stand_ins.run(command, arguments)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("apt-get install no-such-package-at-all", "no-such-package"),
        ("celery -A worker.app inspectt", "No such command"),
        ("cp examples/no.toml /etc", "the repository has no examples/no.toml"),
        ("docker-compose --profile no up", "there is no profile no"),
        ("docker-compose upp", "docker-compose"),
        ("docker-compose up --detatch", "no option --detatch"),
        ("docker-compose up wroker", "no service"),
        ("docker-compose up --scale wroker=3", "no service"),
        ("make chekc", "the Makefile knows no chekc"),
        ("make lock LOKC_FLAGS=1", "the Makefile knows no LOKC_FLAGS"),
        ("pip install --no-such-option .", ""),
        ("pip install -r requirements/no.txt", "the repository has no requirements/no.txt"),
        ("pip install 'fieldfare[no]'", "there is no extra no"),
        ("pytest tests/no", "the repository has no tests/no"),
        ("systemctl enabel redis-server", "no verb enabel"),
        ("systemctl enable no-such-unit", "no unit no-such-unit"),
    ],
)
def test_a_wrong_command_line_is_refused(
    line: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *arguments = shlex.split(line)
    with pytest.raises((SystemExit, Exception)) as refused:
        stand_ins.run(command, arguments)
    assert problem in f"{refused.value}{capsys.readouterr().err}"


# -- settings


def test_settings_that_are_whole_are_written_as_they_stand(tmp_path: Path) -> None:
    text = (
        "[tickets] # a remark\nurl = 'sqlite:///x'\n"
        "[sources.CustomerUser]\nkind = 'sql'\ntable = 't'\ncustomer_key = 'l'\n"
        "customer_id = 'c'\nmap = {}\n[mapping.variables]\nA = 'B'\n"
    )
    settings_blocks.write(text, tmp_path)
    assert (tmp_path / "fieldfare.toml").read_text() == text


def test_a_part_of_a_source_is_laid_over_what_pages_take_for_granted() -> None:
    tree = settings_blocks.completed("[sources.CustomerUser1.tls]\nstart_tls = true\n")
    assert tree["sources"]["CustomerUser1"]["tls"] == {"start_tls": True}
    assert tree["sources"]["CustomerUser1"]["base_dn"] == "ou=people,dc=example,dc=com"


def test_a_whole_source_stands_for_all() -> None:
    tree = settings_blocks.completed("[sources.CustomerUser2]\nkind = 'sql'\n")
    assert list(tree["sources"]) == ["CustomerUser2"]
