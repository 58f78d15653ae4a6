"""Searches are written as ldap3 writes them; answers are read whole, or not at all."""

import contextlib
import math
from collections.abc import Sequence

import ldap3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import search_operation
from ldap3.protocol.rfc2696 import paged_search_control
from ldap3.protocol.rfc4511 import LDAPMessage, MessageID, ProtocolOp
from ldap3.utils.asn1 import encode

from directory.ldap_ber import (
    Incoming,
    Malformed,
    SessionEnded,
    all_of,
    any_of,
    equals,
    holds,
    negated,
    present,
    search_message,
)
from directory.ldap_connection import compiled
from directory.ldap_messages import Entry, Page, Reply, Search
from directory.ldap_text import escaped
from tests.contract.ldap_script import SEARCH, Request, tlv

ASKED = Request(7, SEARCH, b"")
JANE = ASKED.entry(uid=[b"jdoe"], mail=[b"a@example.com", b"b" * 300], empty=[])
DONE = ASKED.done()
READ = Entry(
    {"uid": (b"jdoe",), "mail": (b"a@example.com", b"b" * 300), "empty": ()},
    "cn=x,dc=example,dc=com",
)


def take(*parts: bytes) -> Reply | None:
    """What has been answered once all parts have come."""
    incoming = Incoming(7)
    reply = None
    for part in parts:
        assert reply is None
        reply = incoming.take(part)
    return reply


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=150),
    st.lists(st.binary(max_size=200), min_size=1, max_size=9),
    st.sampled_from(["base", "one", "sub"]),
    st.sampled_from([0, 1, 127, 128, 1000]),
    st.integers(1, 2**31 - 1),
)
def test_a_search_is_written_as_ldap3_writes_it(
    base: str, values: Sequence[bytes], scope: str, limit: int, number: int
) -> None:
    anyone = any_of([equals("uid", value) for value in values])
    request = Search(base, scope, all_of([anyone, present("cn")]), ("uid", "mail"), limit)

    terms = "".join(f"(uid={escaped(value)})" for value in values)
    theirs = search_operation(
        base,
        f"(&{f'(|{terms})' if len(values) > 1 else terms}(cn=*))",
        {"base": ldap3.BASE, "one": ldap3.LEVEL, "sub": ldap3.SUBTREE}[scope],
        ldap3.DEREF_BASE,
        ["uid", "mail"],
        limit,
        5,
        types_only=False,
        auto_escape=False,
        auto_encode=False,
    )
    message = LDAPMessage()
    message["messageID"] = MessageID(number)
    message["protocolOp"] = ProtocolOp().setComponentByName("searchRequest", theirs)
    assert search_message(number, request, 5) == encode(message)


def test_a_filter_that_somebody_wrote_is_written_as_one_of_ours() -> None:
    assert compiled(r"(uid=j\2adoe)") == equals("uid", b"j*doe")
    assert compiled("(&(uid=*)(mail=a))") == all_of([present("uid"), equals("mail", b"a")])


@pytest.mark.parametrize("size", [1, 2, 3, 100, math.inf])
def test_an_answer_may_come_in_parts_of_any_size(size: float) -> None:
    octets = JANE + JANE + ASKED.reference("ldap://b", "ldap://c") + DONE
    step = int(min(size, len(octets)))

    reply = take(*(octets[at : at + step] for at in range(0, len(octets), step)))

    assert reply == Reply(0, "success", (READ, READ), (("ldap://b", "ldap://c"),))


def test_a_dn_in_a_charset_of_the_servers_own_can_be_asked_for() -> None:
    reply = take(ASKED.message(0x64, tlv(4, b"cn=M\xfcller") + tlv(0x30, b"")) + DONE)

    assert reply is not None
    request = Search(reply.entries[0].dn, "base", present("cn"), ("cn",))
    assert b"\x04\x09cn=M\xfcller" in search_message(1, request, 1)


def test_what_comes_behind_the_end_is_nobodys_answer() -> None:
    assert take(JANE + DONE + b"\xff") == Reply(0, "success", (READ,))


def test_a_result_tells_its_code_its_name_and_where_else_to_ask() -> None:
    assert take(ASKED.done(32)) == Reply(32, "noSuchObject", ())
    assert take(ASKED.done(99)) == Reply(99, "unknown result", ())
    assert take(ASKED.referral("ldap://b")) == Reply(10, "referral", (), (("ldap://b",),))
    assert take(ASKED.done(10)) == Reply(10, "referral", (), ((),))


def test_an_intermediate_answer_and_unknown_parts_of_a_message_are_left_alone() -> None:
    controls = tlv(0xA0, tlv(0x30, tlv(4, b"1.2.3")))
    entry = tlv(0x64, tlv(4, b"cn=x") + tlv(0x30, b"") + tlv(0x85, b"new"))
    message = tlv(0x30, tlv(2, b"\x07") + entry + controls)

    reply = take(ASKED.message(0x79, b"") + message + DONE)

    assert reply == Reply(0, "success", (Entry({}, "cn=x"),))


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 400 Bad Request",
        b"\x30\x80",  # of no definite length
        b"\x30\x85\x00\x00\x00\x00\x00",  # a length of more than four octets
        b"\x30\x00",
        tlv(0x30, tlv(2, b"\x07")),
        tlv(0x30, tlv(2, b"\x08") + tlv(0x65, b"")),
        tlv(0x30, tlv(2, b"\x07") + b"\x65\x7f\x0a"),  # reaches over the message
        ASKED.message(0x61, b""),  # the end of a bind
        ASKED.message(0x65, b"\x0a\x00\x04\x00\x04\x00"),  # no code at all must not mean success
        ASKED.message(0x65, b"\x0a\x01\x00\x04\x00"),
        ASKED.message(0x64, tlv(4, b"") + tlv(0x30, tlv(0x30, tlv(4, b"\xff") + tlv(0x31, b"")))),
        ASKED.message(0x64, tlv(4, b"cn=x") + tlv(0x30, tlv(0x30, tlv(4, b"uid")))),
        ASKED.message(0x64, tlv(4, b"cn=x") + tlv(0x30, tlv(0x30, tlv(4, b"a") + tlv(0x31, b"x")))),
        ASKED.message(0x73, tlv(2, b"ldap://b")),
    ],
)
def test_what_is_not_written_as_it_must_be_is_no_answer(octets: bytes) -> None:
    with pytest.raises(Malformed) as raised:
        take(JANE + octets + DONE)

    assert "jdoe" not in str(raised.value)


def test_a_server_that_says_something_unasked_ends_the_session() -> None:
    with pytest.raises(SessionEnded):
        take(tlv(0x30, tlv(2, b"\0") + tlv(0x78, b"")))


@given(st.integers(0, len(JANE + DONE) - 1), st.integers(0, 255))
def test_an_octet_that_was_changed_on_the_way_breaks_nothing(at: int, octet: int) -> None:
    octets = bytearray(JANE + DONE)
    octets[at] = octet

    with contextlib.suppress(Malformed, SessionEnded):
        reply = take(bytes(octets))
        assert reply is None or len(reply.entries) <= 1


@given(st.binary(max_size=40))
def test_nothing_that_comes_breaks_anything(octets: bytes) -> None:
    with contextlib.suppress(Malformed, SessionEnded):
        assert take(tlv(0x30, b"\x02\x01\x07" + octets)) is None or octets[:1] == b"\x65"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (("jane",), "(cn=jane)"),
        (("jane", ""), "(cn=jane*)"),
        (("", "jane"), "(cn=*jane)"),
        (("", "ja", "n)e", ""), r"(cn=*ja*n\29e*)"),
        (("a", "b", "c"), "(cn=a*b*c)"),
        (("", ""), "(cn=*)"),
    ],
)
def test_pieces_of_a_value_are_written_as_a_filter(pieces: Sequence[str], text: str) -> None:
    assert holds("cn", [piece.encode() for piece in pieces]) == compiled(text)
    assert negated(holds("cn", [piece.encode() for piece in pieces])) == compiled(f"(!{text})")


def paged(cookie: bytes, *, critical: bytes = b"", before: bytes = b"") -> bytes:
    """The end of an answer, with the control of RFC 2696 behind it."""
    told = tlv(0x30, tlv(2, b"\0") + tlv(4, cookie))
    control = tlv(0x30, tlv(4, b"1.2.840.113556.1.4.319") + critical + tlv(4, told))
    done = tlv(0x65, tlv(0x0A, b"\0") + tlv(4, b"") + tlv(4, b""))
    return tlv(0x30, tlv(2, b"\7") + done + tlv(0xA0, before + control))


def test_where_the_next_page_begins_is_read_behind_the_answer() -> None:
    other = tlv(0x30, tlv(4, b"1.2.3"))

    for end in (paged(b"next"), paged(b"next", critical=b"\1\1\0"), paged(b"next", before=other)):
        reply = take(JANE, end)
        assert reply is not None
        assert (reply.entries, reply.cookie) == ((READ,), b"next")
    reply = take(DONE)
    assert reply is not None
    assert reply.cookie == b""


@pytest.mark.parametrize(
    "control", [b"\xa0", b"\xa0\x02\x30\x05", b"\x31\x00", b"\xa0\x03\x30\x01\x04"]
)
def test_controls_that_are_cut_off_are_no_answer(control: bytes) -> None:
    done = tlv(0x65, tlv(0x0A, b"\0") + tlv(4, b"") + tlv(4, b""))

    with pytest.raises(Malformed):
        take(tlv(0x30, tlv(2, b"\7") + done + control))


@given(st.binary(max_size=40), st.integers(1, 10_000))
def test_a_page_is_asked_for_as_ldap3_asks_for_it(cookie: bytes, size: int) -> None:
    request = Search("", "sub", present("cn"), ("cn",), page=Page(size, cookie))
    control = paged_search_control(False, size, cookie)

    assert search_message(7, request, 5).endswith(encode(control))
