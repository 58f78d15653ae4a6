import pytest

from directory.ldap_messages import Entry, Reply, Search
from directory.ldap_referrals import BadReferral, followed
from directory.ldap_wire import Endpoint

REQUEST = Search("dc=example,dc=com", "sub", b"filter", ("uid",))
HERE = Entry({"uid": (b"here",)})
THERE = Entry({"uid": (b"there",)})
DONE = Reply(0, "success", (THERE,))


class Servers:
    """Answers for every place, and remembers who was asked for what."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, Search]] = []

    def ask(self, place: Endpoint, request: Search) -> Reply:
        self.asked.append((str(place), request))
        return self.replies.pop(0) if self.replies else DONE


def test_a_reply_without_references_stays_as_it_is() -> None:
    servers = Servers()

    assert followed(Reply(0, "success", (HERE,)), REQUEST, servers.ask).entries == (HERE,)
    assert servers.asked == []


def test_a_referral_becomes_the_answer_of_the_server_it_names() -> None:
    servers = Servers()
    reply = Reply(10, "referral", (), (("ldap://b.example.org/ou=p%20q,dc=b??one",),))

    assert followed(reply, REQUEST, servers.ask) == DONE
    assert servers.asked == [
        ("ldap://b.example.org:389", Search("ou=p q,dc=b", "one", b"filter", ("uid",)))
    ]


def test_continuations_add_their_entries_behind_our_own() -> None:
    reply = Reply(0, "success", (HERE,), (("ldaps://b",), ("ldap://c:3389/",)))
    servers = Servers()

    assert followed(reply, REQUEST, servers.ask).entries == (HERE, THERE, THERE)
    assert servers.asked == [("ldaps://b:636", REQUEST), ("ldap://c:3389", REQUEST)]


def test_the_first_readable_uri_of_a_reference_is_used() -> None:
    reply = Reply(0, "success", (), (("http://a/", "ldap://[a/", "ldap://b/"),))
    servers = Servers()

    followed(reply, REQUEST, servers.ask)

    assert [place for place, _ in servers.asked] == ["ldap://b:389"]


def test_a_refusal_elsewhere_is_the_whole_answer() -> None:
    refusal = Reply(32, "noSuchObject", (THERE,))
    reply = Reply(0, "success", (HERE,), (("ldap://b",), ("ldap://c",)))

    assert followed(reply, REQUEST, Servers(refusal).ask) == Reply(32, "noSuchObject", ())


def test_servers_that_refer_to_each_other_are_asked_once() -> None:
    back = Reply(10, "referral", (), (("ldap://b",),))
    servers = Servers(back)

    assert followed(back, REQUEST, servers.ask).entries == ()
    assert [place for place, _ in servers.asked] == ["ldap://b:389"]


def test_referrals_without_end_are_given_up() -> None:
    replies = [Reply(10, "referral", (), ((f"ldap://host{n}",),)) for n in range(99)]

    with pytest.raises(BadReferral, match="more than 10"):
        followed(replies[0], REQUEST, Servers(*replies[1:]).ask)


@pytest.mark.parametrize("uri", ["ldap://", "http://a", "ldap://a:port", "x"])
def test_a_referral_that_leads_nowhere_is_told(uri: str) -> None:
    with pytest.raises(BadReferral, match="without a readable URI"):
        followed(Reply(10, "referral", (), ((uri,),)), REQUEST, Servers().ask)


def test_a_referral_without_any_uri_is_still_a_referral() -> None:
    assert followed(Reply(10, "referral", ()), REQUEST, Servers().ask).code == 10
