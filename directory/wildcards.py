"""What does a search term with ``*`` match? The same for SQL, for LDAP and here.

``*`` is the only wildcard (D25); everything else is meant as it is written.
"""

import re
from collections.abc import Iterable

from directory.config import SourceConfig
from directory.ldap_text import escaped
from directory.search import Pattern

ESCAPE = "!"
"""What makes ``%`` and ``_`` literal in a LIKE; a backslash would need two forms of quoting."""


def pattern(term: str, config: SourceConfig) -> str:
    """A search term with the source's prefix and suffix around it."""
    prefix, suffix = config.customer_user_search_prefix, config.customer_user_search_suffix
    return f"{prefix}{term.strip()}{suffix}"


def like(wanted: str) -> str:
    """A pattern for LIKE with ``ESCAPE``."""
    literal = re.sub(r"[%_!]", lambda special: ESCAPE + special[0], wanted)
    return re.sub(r"\*+", "%", literal)


def ldap_assertion(wanted: str, charset: str) -> str:
    """A pattern for an LDAP filter."""
    parts = re.split(r"\*+", wanted)
    return "*".join(escaped(part.encode(charset)) for part in parts)


def fitting(
    texts: Iterable[str | None], term: str, config: SourceConfig, *, exact: bool = False
) -> frozenset[str]:
    """The texts that a term finds in a source; an empty term finds all that are not empty.

    Args:
        texts: what is searched.
        term: with ``*`` as wildcard; the source's search prefix and suffix are put around it.
        config: the source's settings.
        exact: whether case counts.
    """
    found = frozenset(filter(None, texts))
    if not term:
        return found
    wanted = Pattern.of(pattern(term, config))
    return frozenset(text for text in found if wanted.fits(text, exact=exact))
