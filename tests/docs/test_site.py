"""The site: built without a warning, it shows every page whole and asks no other host."""

import logging
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, count, list_starts, name, pages

DOCS = ROOT / "docs"
CONFIG = ROOT / ".ci/mkdocs.yml"

os.environ["NO_MKDOCS_2_WARNING"] = "1"  # an advertisement on standard error, read at import

# What Material's script holds and asks for only on pages that have these: none of ours has.
ASKED_FOR_ON_DEMAND = {
    "https://unpkg.com/mermaid@11/dist/mermaid.min.js": "class=mermaid",
    "https://api.github.com/repos/": "data-md-component=source",
    "https://api.github.com/users/": "data-md-component=source",
    "https://unpkg.com/resize-observer-polyfill": "a browser from before 2020",
}

LOADING = {("script", "src"), ("img", "src"), ("iframe", "src"), ("form", "action")}
LOADING_LINKS = {"stylesheet", "preconnect", "preload", "prefetch", "icon", "modulepreload"}


MEANT = {"h2": "heading2", "li": "list_item", "pre": "fence", "table": "table", "tr": "tr"}


class Requests(HTMLParser):
    """What a browser asks for by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.urls += [given[name] for element, name in LOADING if element == tag and name in given]
        if tag == "link" and LOADING_LINKS & set(given.get("rel", "").split()):
            self.urls.append(given["href"])


class Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def build(folder: Path, **changes: object) -> list[str]:
    """Build the site into a folder; returns what the build warned of."""
    from mkdocs.commands.build import build as built  # noqa: PLC0415 - see NO_MKDOCS_2_WARNING
    from mkdocs.config import load_config  # noqa: PLC0415

    complaints = Complaints()
    logger = logging.getLogger("mkdocs")
    logger.addHandler(complaints)
    try:
        # Not strict, so that all complaints are heard and not the first alone.
        built(load_config(str(CONFIG), site_dir=str(folder), strict=False, **changes))
    finally:
        logger.removeHandler(complaints)
    return complaints.texts


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Where the site lies, and what its build warned of."""
    folder = tmp_path_factory.mktemp("site")
    return folder, build(folder)


@pytest.fixture(scope="module")
def site(built: tuple[Path, list[str]]) -> Path:
    """Where the site lies."""
    return built[0]


def test_it_is_built_without_a_warning(built: tuple[Path, list[str]]) -> None:
    assert built[1] == []


def test_a_wrong_page_is_warned_of_and_a_warning_ends_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# A\n\n[b](b.md) [c](#c) [d](/d.md) [e](f.md#e)\n")
    (docs / "f.md").write_text("# F\n")
    nav = [{"A": "index.md"}, {"G": "g.md"}]

    texts = "\n".join(build(tmp_path / "site", docs_dir=str(docs), nav=nav, hooks=[]))

    for word in ("'b.md'", "'#c'", "'/d.md'", "'f.md#e'", "'g.md'", "- f.md"):
        assert word in texts
    assert "\nstrict: true\n" in CONFIG.read_text()


def test_a_browser_asks_no_other_host(site: Path) -> None:
    asked: dict[str, list[str]] = {}
    for path in sorted(site.rglob("*.html")):
        page = Requests()
        page.feed(path.read_text())
        asked[path.name] = [url for url in page.urls if re.match(r"(?:\w+:)?//", url)]
    for path in site.rglob("*.css"):
        found = re.findall(r"(?:url\(|@import\s+)[\"']?([^)\"';]+)", path.read_text())
        asked[path.name] = [url for url in found if re.match(r"(?:https?:)?//", url)]
    assert len(asked) > 20
    assert {name: urls for name, urls in asked.items() if urls} == {}


def test_scripts_find_nothing_for_which_they_would_ask_another_host(site: Path) -> None:
    scripts = "\n".join(path.read_text() for path in site.rglob("*.js"))
    quoted = re.findall(r"[\"'`](https?://[^\"'`$]+)", scripts)
    assert set(quoted) - {"http://www.w3.org/2000/svg"} <= set(ASKED_FOR_ON_DEMAND)
    for path in sorted(site.rglob("*.html")):
        text = path.read_text()
        assert [mark for mark in ("mermaid", 'data-md-component="source"') if mark in text] == []


@pytest.mark.parametrize("page", [one for one in pages() if DOCS in one.parents], ids=name)
def test_the_site_reads_a_page_as_it_is_meant(site: Path, page: Path) -> None:
    """The site's Markdown wants blank lines and deeper indentation where CommonMark does not."""
    html = (site / page.relative_to(DOCS).with_suffix(".html")).read_text()
    article = html.partition("<article")[2].partition("</article>")[0]
    shown = {element: len(re.findall(rf"<{element}[ >]", article)) for element in MEANT}
    assert shown == {element: count(page, token) for element, token in MEANT.items()}
    starts = [int(number) for number in re.findall(r'<ol start="(\d+)"', article)]
    assert starts == [number for number in list_starts(page) if number != 1]
    assert "```" not in article


def test_linked_files_of_the_repository_are_taken_in(site: Path) -> None:
    producers = (site / "how-to/producers.html").read_text()
    assert 'href="../examples/producers/emit.sh"' in producers
    emit = ROOT / "examples/producers/emit.sh"
    assert (site / "examples/producers/emit.sh").read_bytes() == emit.read_bytes()
