"""What stands in the Markdown files: their fenced blocks and what is set in code type.

Read by a CommonMark parser, so that a block inside a list is found as well.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "examples")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: the file.
        line: of the opening fence, from 1.
        language: the word behind the fence; empty where there is none.
        text: what stands between the fences, with the last line end.
    """

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{name(self.page)}:{self.line}"


def name(path: Path) -> str:
    """A file as people name it."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def pages() -> Sequence[Path]:
    """Every Markdown file that is written for readers."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *found])


@functools.cache
def fences() -> Mapping[Path, Sequence[Block]]:
    """The fenced blocks of each page, in their order."""
    return {page: [_block(page, token) for token in _tokens(page, "fence")] for page in pages()}


def blocks(*languages: str) -> Sequence[Block]:
    """The fenced blocks of all pages in these languages; of all languages where none is named."""
    found = [block for blocks_ in fences().values() for block in blocks_]
    return [block for block in found if not languages or block.language in languages]


def indented_blocks(page: Path) -> Sequence[int]:
    """Lines, from 1, at which a block begins that is code by its indentation alone."""
    return [token.map[0] + 1 for token in _tokens(page, "code_block") if token.map]


def code_spans(page: Path) -> Sequence[str]:
    """What is set in code type within a text."""
    return [
        child.content
        for token in _tokens(page, "inline")
        for child in token.children or ()
        if child.type == "code_inline"
    ]


def count(page: Path, kind: str) -> int:
    """How many elements of a kind a page has: ``fence``, ``list_item``, ``heading2`` …"""
    if kind.startswith("heading"):
        level = kind.removeprefix("heading")
        return sum(token.tag == f"h{level}" for token in _tokens(page, "heading_open"))
    return len(_tokens(page, kind)) or len(_tokens(page, f"{kind}_open"))


def list_starts(page: Path) -> Sequence[int]:
    """The number with which each numbered list begins."""
    return [int(token.attrs.get("start", 1)) for token in _tokens(page, "ordered_list_open")]


@functools.cache
def _parsed(page: Path) -> Sequence[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def _tokens(page: Path, kind: str) -> Sequence[Token]:
    return [token for token in _parsed(page) if token.type == kind]


def _block(page: Path, token: Token) -> Block:
    assert token.map is not None
    return Block(page, token.map[0] + 1, token.info.strip(), token.content)
