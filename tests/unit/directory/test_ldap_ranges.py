"""Attributes that a server tells range by range."""

from collections.abc import Mapping

from directory.ldap_ber import present
from directory.ldap_messages import Entry, Reply, Search
from directory.ldap_ranges import whole

DN = "cn=x,dc=example"


class Server:
    """Replies by the attribute that is asked for."""

    def __init__(self, replies: Mapping[str, Reply]) -> None:
        self.replies = replies
        self.asked: list[str] = []

    def ask(self, request: Search) -> Reply:
        (attribute,) = request.attributes
        assert request == Search(DN, "base", present("objectClass"), (attribute,))
        self.asked.append(attribute)
        return self.replies[attribute]


def part(name: str, *values: bytes) -> Reply:
    return Reply(0, "success", (Entry({name: values}, DN),))


def test_a_reply_without_ranges_is_whole() -> None:
    reply = part("memberof", b"a")

    assert whole(reply, Server({}).ask) is reply


def test_the_other_ranges_are_asked_for_until_the_last() -> None:
    server = Server(
        {
            "memberof;range=2-*": part("memberof;range=2-3", b"c", b"d"),
            "memberof;range=4-*": part("memberof;range=4-*", b"e"),
        }
    )
    first = Entry({"uid": (b"x",), "memberof": (), "memberof;range=0-1": (b"a", b"b")}, DN)

    reply = whole(Reply(0, "success", (first,)), server.ask)

    assert server.asked == ["memberof;range=2-*", "memberof;range=4-*"]
    assert reply.entries[0].attributes == {
        "uid": (b"x",),
        "memberof": (b"a", b"b", b"c", b"d", b"e"),
    }


def test_a_range_that_is_the_last_needs_no_other() -> None:
    server = Server({})

    reply = whole(part("memberof;range=0-*", b"a"), server.ask)

    assert reply.entries[0].attributes == {"memberof": (b"a",)}
    assert server.asked == []


def test_a_server_that_has_no_further_values_ends_it() -> None:
    server = Server({"memberof;range=1-*": Reply(0, "success", (Entry({}, DN),))})

    reply = whole(part("memberof;range=0-0", b"a"), server.ask)

    assert reply.entries[0].attributes == {"memberof": (b"a",)}


def test_a_refusal_of_the_rest_is_the_answer() -> None:
    refusal = Reply(50, "insufficientAccessRights", ())
    server = Server({"memberof;range=1-*": refusal})

    assert whole(part("memberof;range=0-0", b"a"), server.ask) == refusal
