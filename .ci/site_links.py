"""How do links from the documentation to other files of the repository work on the site?

The pages link as GitHub shows them: ``../../examples/fieldfare.toml``, ``../CHANGELOG.md``. The
site has no repository around it, so it takes in each file that is linked, and its pages link there.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = "docs"

_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in what the pages link outside of the documentation, and what that links."""
    waiting = [page.src_uri for page in files.documentation_pages()] + ["CHANGELOG.md"]
    seen: set[str] = set()
    while waiting:
        uri = waiting.pop()
        if uri in seen:
            continue
        seen.add(uri)
        path = _path(uri)
        if files.get_file_from_path(uri) is None:
            files.append(File.generated(config, uri, abs_src_path=str(path)))
        if path.suffix == ".md":
            waiting += [
                target for target in _targets(path.read_text(), uri) if _path(target).is_file()
            ]
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """The page with its links as they lead on the site."""
    here = page.file.src_uri

    def moved(link: re.Match[str]) -> str:
        target = _target(link[1], here)
        return posixpath.relpath(target, posixpath.dirname(here) or ".")

    return _LINK.sub(moved, markdown)


def _path(uri: str) -> Path:
    """Where a file of the site lies: in the documentation, else from the repository's root."""
    inside = ROOT / DOCS / uri
    return inside if inside.exists() else ROOT / uri


def _targets(markdown: str, here: str) -> Iterator[str]:
    for link in _LINK.findall(markdown):
        yield _target(link, here)


def _target(link: str, here: str) -> str:
    """The file that a link leads to, as the site names it."""
    place = _path(here).parent.relative_to(ROOT).as_posix()
    target = posixpath.normpath(posixpath.join(place, link))
    return target.removeprefix(f"{DOCS}/")
