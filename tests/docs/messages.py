"""Does the product print this text? Its source has it, whole, with ``…`` for what is filled in."""

import ast
import functools
import re
from collections.abc import Iterator, Sequence

from tests.docs.pages import ROOT

PACKAGES = ("worker", "directory", "mapping")

GAP = "\0"
"""What stands in a text where the product fills something in."""


WARN = {"warning", "error", "_note", "_try", "_left_to_the_next"}
"""Functions whose first argument is an event to warn of; those with _ hand it on, in a module that
does warn."""

FEWEST = 10
"""Characters of its own that a text must have to be told by an example of it."""


def is_printed(quoted: str) -> bool:
    """Whether a text of the source has these words in this order, or they are an example of it.

    Args:
        quoted: a text; ``…`` stands for anything.
    """
    pieces = [re.escape(piece) for piece in re.split(r"\s*…\s*", quoted)]
    pattern = re.compile(r".*".join(pieces), re.DOTALL)
    return any(pattern.search(text) for text in texts()) or any(
        example.fullmatch(quoted) for example in examples()
    )


@functools.cache
def examples() -> Sequence[re.Pattern[str]]:
    """What fits an example of each text with something filled in, and enough of its own."""
    return [
        re.compile(re.escape(text).replace(re.escape(GAP), ".+"))
        for text in texts()
        if GAP in text and len(text.replace(GAP, "")) >= FEWEST
    ]


@functools.cache
def texts() -> Sequence[str]:
    """Every text in the source but docstrings, the parts of one put together."""
    found = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            found += list(_texts(ast.parse(path.read_text())))
    return found


def warnings() -> set[str]:
    """The names of all events that are logged as a warning or an error."""
    modules = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    nodes = [
        node
        for module in modules
        if re.search(r"\blog\.(?:warning|error)\(", module)
        for node in ast.walk(ast.parse(module))
    ]
    constants = {
        target.id: node.value.value
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = set()
    for node in nodes:
        match node:
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called), args=[first, *_]
            ) if called in WARN:
                event = first.value if isinstance(first, ast.Constant) else None
                if isinstance(first, ast.Name):
                    event = constants.get(first.id)
                if isinstance(event, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", event):
                    found.add(event)
    return found


def _texts(tree: ast.AST) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)) if id(node) not in docstrings:
                yield text
            case ast.JoinedStr(values=parts):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else GAP for part in parts
                )
