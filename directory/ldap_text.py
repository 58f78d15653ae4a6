"""How texts are written for an LDAP server, compared as it compares them, and read back.

A login goes into a filter with every unusual octet escaped (RFC 4515). Two texts are the same
when caseIgnoreMatch says so: RFC 4518 maps characters away, folds case, normalises, and squeezes
blanks. OpenLDAP does less of that than the RFC, and to some attributes case counts, so what is
equal here is one person only where the server says so, too.
"""

import re
import unicodedata
from collections.abc import Sequence

from directory.model import AttributeValue

# RFC 4518 is about Unicode 3.2.
UNICODE = unicodedata.ucd_3_2_0

_UNSAFE = re.compile(rb"[^A-Za-z0-9@._-]")
_BLANKS = re.compile(" +")
_MAPPED_TO_BLANK = re.compile("[\t\n\v\f\r\x85\u2028\u2029]")
_MAPPED_TO_NOTHING = re.compile(
    "["
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u06dd\u070f\u1806\u180b-\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u2063\u206a-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffc"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
    "]"
)


def escaped(value: bytes) -> str:
    """Octets as an assertion value of a filter; nothing in them can end or widen it (RFC 4515)."""
    return _UNSAFE.sub(lambda octet: b"\\%02x" % ord(octet[0]), value).decode("ascii")


def prepared(text: str) -> str:
    """A text as RFC 4518 prepares it for caseIgnoreMatch, full case folding included.

    Both must agree, the server's match and equal prepared texts. The server is often finer (to
    OpenLDAP ``ß`` is not ``ss``); where it is coarser (to OpenLDAP the Turkish ``İ`` is a plain
    ``i``, to the RFC it is not) the entry is not handed to that login (design 1.1).
    """
    if text.isascii() and text.isprintable():
        return _squeezed(text.lower())
    mapped = _MAPPED_TO_NOTHING.sub("", _MAPPED_TO_BLANK.sub(" ", text))
    folded = UNICODE.normalize("NFKC", mapped).casefold()
    return _squeezed(UNICODE.normalize("NFKC", folded))


def matched(
    logins: Sequence[str], keys: Sequence[Sequence[str]]
) -> tuple[dict[str, int], set[str]]:
    """Which entry belongs to which login.

    Args:
        logins: the logins that one search asked for.
        keys: for each entry that came back, the texts of its key attribute.

    Returns:
        The index of the first entry (observed rule 27) for each login that an entry fits alone,
        and the logins that share an entry: for those the server must be asked one by one.
    """
    wanted: dict[str, list[str]] = {}
    for login in logins:
        wanted.setdefault(prepared(login), []).append(login)
    first: dict[str, int] = {}
    shared: set[str] = set()
    for index, texts in enumerate(keys):
        fitting = {login for text in texts for login in wanted.get(prepared(text), ())}
        if len(fitting) == 1:
            first.setdefault(fitting.pop(), index)
        else:
            shared |= fitting
    return {login: index for login, index in first.items() if login not in shared}, shared


def _squeezed(text: str) -> str:
    return _BLANKS.sub(" ", text).strip(" ") if " " in text else text


def text_or_none(octets: bytes, charset: str) -> str | None:
    """Octets as text, or None when they are none in this charset or hold a NUL (D20, D21)."""
    if b"\0" in octets:
        return None
    try:
        return octets.decode(charset)
    except UnicodeDecodeError:
        return None


def attribute_value(values: Sequence[bytes], charset: str) -> AttributeValue | None:
    """What an attribute's values amount to.

    Returns:
        None without a value (an empty one is none), a text, several texts in the server's order
        (D7), or the first octets that are not text, since then nothing may be written (D21).
    """
    if len(values) == 1:
        only = text_or_none(values[0], charset)
        return values[0] if only is None else only or None
    texts = []
    for octets in values:
        text = text_or_none(octets, charset)
        if text is None:
            return octets
        if text:
            texts.append(text)
    if len(texts) > 1:
        return tuple(texts)
    return texts[0] if texts else None
