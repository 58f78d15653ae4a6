"""LDAP servers that hang, drip, lie, refuse and refer: never absent, never past the deadline."""

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from directory.errors import SourceUnavailable
from directory.ldap import LdapSource
from directory.model import Absent, Answer, Found, Unavailable
from tests.contract.ldap_script import (
    BIND,
    EXTENDED,
    HANG_UP,
    SEARCH,
    SILENCE,
    Relay,
    Request,
    ScriptedServer,
    polite,
    tlv,
)
from tests.contract.ldap_source import LdapDirectory, ldap_config
from tests.servers import SlapdServer
from tests.servers.certificates import write_certificates
from tests.stopwatch import Stopwatch

TIMEOUT = 0.6
GRACE = 0.5
JANE = {"uid": [b"jdoe"], "givenName": [b"Jane"]}


@pytest.fixture
def people(slapd: SlapdServer) -> Iterator[LdapDirectory]:
    directory = LdapDirectory(slapd)
    directory.add_entry("jane", uid="jdoe", givenName="Jane")
    yield directory
    directory.close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    with contextlib.ExitStack() as stack:

        def start(*args: Any, **options: Any) -> ScriptedServer:
            return stack.enter_context(contextlib.closing(ScriptedServer(*args, **options)))

        yield start


@pytest.fixture
def relay(slapd: SlapdServer) -> Iterator[Relay]:
    with contextlib.closing(Relay(slapd.port)) as relay:
        yield relay


@contextlib.contextmanager
def source(host: object, **options: Any) -> Iterator[LdapSource]:
    built = LdapSource(ldap_config(**{"host": host, "timeout": TIMEOUT, "slot": "5"} | options))
    try:
        yield built
    finally:
        built.close()


def ask(host: object, *logins: str, **options: Any) -> dict[str, Answer]:
    """One lookup of a new source, which must end in time."""
    with source(host, **options) as asked:
        with Stopwatch() as watch:
            answers = dict(asked.find(logins or ("jdoe",)))
        assert watch.seconds < asked.config.timeout + GRACE
        return answers


def reason(answers: dict[str, Answer]) -> str:
    """The one reason why all of these are unavailable."""
    reasons = set()
    for answer in answers.values():
        assert isinstance(answer, Unavailable), answer
        assert answer.slot == "5"
        reasons.add(answer.reason)
    (only,) = reasons
    return only


def found(answers: dict[str, Answer]) -> set[str]:
    return {login for login, answer in answers.items() if isinstance(answer, Found)}


def at(operation: int, answer: bytes | None) -> Callable[[Request], bytes | None]:
    """A polite script but for one kind of request."""
    return lambda request: answer if request.operation == operation else polite(request)


def on_search(answer: Callable[[Request], bytes | None]) -> Callable[[Request], bytes | None]:
    """A script that binds everybody and answers searches so."""
    return lambda request: answer(request) if request.operation == SEARCH else polite(request)


@pytest.mark.parametrize("operation", [BIND, SEARCH])
def test_a_server_that_says_nothing_is_left_at_the_deadline(
    scripted: Callable[..., ScriptedServer], operation: int
) -> None:
    server = scripted(at(operation, SILENCE))

    assert reason(ask(server.uri)).endswith("no answer within 0.6 s")


@pytest.mark.parametrize("operation", [BIND, SEARCH])
def test_a_server_that_drips_octet_by_octet_is_left_at_the_deadline(
    scripted: Callable[..., ScriptedServer], operation: int
) -> None:
    drips = threading.Event()

    def script(request: Request) -> bytes | None:
        if request.operation == operation:
            drips.set()
            return tlv(0x30, b"\0" * 1000)
        return request.done()

    server = scripted(script, drip=0.05)

    assert reason(ask(server.uri, timeout=1.5)).endswith("no answer within 1.5 s")
    assert drips.is_set()


def test_a_flood_of_entries_is_left_at_the_deadline(
    scripted: Callable[..., ScriptedServer],
) -> None:
    server = scripted(on_search(lambda request: request.entry(**JANE) * 60_000))

    assert reason(ask(server.uri)).endswith("no answer within 0.6 s")


@pytest.mark.parametrize("requests_before", [0, 1])
def test_a_frozen_slapd_is_left_at_the_deadline_and_answers_again_afterwards(
    people: LdapDirectory, requests_before: int
) -> None:
    with source(people.server.uri, timeout=1.5) as asked:
        for _ in range(requests_before):
            assert found(dict(asked.find(["jdoe"]))) == {"jdoe"}
        people.server.freeze()
        with Stopwatch() as watch:
            answers = dict(asked.find(["jdoe"]))
        people.server.thaw()

        assert "no answer within 1.5 s" in reason(answers)
        assert watch.seconds < 1.5 + GRACE
        assert found(dict(asked.find(["jdoe"]))) == {"jdoe"}


def test_ping_is_bound_by_the_same_deadline(scripted: Callable[..., ScriptedServer]) -> None:
    server = scripted(at(SEARCH, SILENCE))

    with source(server.uri) as asked, pytest.raises(SourceUnavailable, match="within"):
        asked.ping()


def test_several_searches_of_one_lookup_share_one_deadline(
    scripted: Callable[..., ScriptedServer],
) -> None:
    def first_only(request: Request) -> bytes | None:
        return request.entry(uid=[b"u1"]) + request.done() if b"u199" in request.octets else None

    server = scripted(on_search(first_only))

    answers = ask(server.uri, *[f"u{number}" for number in range(400)])

    assert found(answers) == {"u1"}
    assert answers["u0"] == Absent()
    assert reason({login: answers[login] for login in ("u200", "u399")})


def test_a_name_lookup_that_hangs_is_left_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = threading.Event()
    resolve = socket.getaddrinfo

    def hang(host: str, port: int, family: int, kind: int, *, flags: int = 0) -> Any:
        if not flags:
            released.wait(10)
        return resolve(host, port, family, kind, flags=flags)

    monkeypatch.setattr(socket, "getaddrinfo", hang)

    assert reason(ask("localhost")).endswith("no answer within 0.6 s")
    released.set()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".example.org"])
def test_a_name_that_does_not_exist_is_unavailable(host: str) -> None:
    assert reason(ask(host, timeout=10)).startswith(f"ldap://{host}:389: ")


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x03\x02\x01",
        b"\x30\x02\x05\x00",
        b"\x30\x0c\x02\x01\x63\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\xff" * 64,
    ],
)
@pytest.mark.parametrize("operation", [BIND, SEARCH])
def test_an_answer_that_is_no_ldap_is_unavailable(
    scripted: Callable[..., ScriptedServer], operation: int, octets: bytes
) -> None:
    server = scripted(at(operation, octets))

    assert reason(ask(server.uri))


@pytest.mark.parametrize("operation", [BIND, SEARCH])
def test_a_server_that_hangs_up_is_unavailable(
    scripted: Callable[..., ScriptedServer], operation: int
) -> None:
    server = scripted(at(operation, HANG_UP))

    assert "terminated by server" in reason(ask(server.uri))


def test_entries_without_the_end_of_the_search_are_no_answer(
    scripted: Callable[..., ScriptedServer],
) -> None:
    answered = threading.Event()

    def script(request: Request) -> bytes | None:
        if request.operation != SEARCH:
            return polite(request)
        answered.set()
        return request.entry(**JANE)

    server = scripted(script)

    assert reason(ask(server.uri)).endswith("no answer within 0.6 s")
    assert answered.is_set()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (1, "operationsError"),
        (2, "protocolError"),
        (3, "timeLimitExceeded"),
        (4, "sizeLimitExceeded"),
        (11, "adminLimitExceeded"),
        (17, "undefinedAttributeType"),
        (21, "invalidAttributeSyntax"),
        (32, "noSuchObject"),
        (34, "invalidDNSyntax"),
        (50, "insufficientAccessRights"),
        (51, "busy"),
        (52, "unavailable"),
        (53, "unwillingToPerform"),
        (80, "other"),
    ],
)
def test_every_result_but_success_is_unavailable_also_for_logins_whose_entry_came(
    scripted: Callable[..., ScriptedServer], code: int, name: str
) -> None:
    server = scripted(on_search(lambda request: request.entry(**JANE) + request.done(code)))

    assert name in reason(ask(server.uri, "jdoe", "nobody"))
    with source(server.uri) as asked, pytest.raises(SourceUnavailable, match=name):
        asked.ping()


@pytest.mark.parametrize("code", [49, 48, 51, 53, 2])
def test_a_refused_bind_is_unavailable(scripted: Callable[..., ScriptedServer], code: int) -> None:
    server = scripted(lambda request: request.done(code))

    assert f"(result {code})" in reason(ask(server.uri, version=2))
    assert not server.searches


def test_the_fault_of_one_login_is_its_own(scripted: Callable[..., ScriptedServer]) -> None:
    def script(request: Request) -> bytes | None:
        if b"poison" in request.octets:
            return request.done(21)
        return request.entry(**JANE) + request.done()

    server = scripted(on_search(script))

    answers = ask(server.uri, "a", "b", "poison", "jdoe", "c", timeout=5)

    assert found(answers) == {"jdoe"}
    assert answers["poison"] == Absent(
        "the server cannot compare the login: invalidAttributeSyntax"
    )
    assert [answers[login] for login in "abc"] == [Absent()] * 3


def test_a_fault_is_not_blamed_on_a_login_when_the_server_goes_silent(
    scripted: Callable[..., ScriptedServer],
) -> None:
    server = scripted(
        on_search(lambda request: request.done(34) if b"jdoe" in request.octets else SILENCE)
    )

    assert "invalidDNSyntax" in reason(ask(server.uri, "jdoe"))


def test_a_batch_over_the_size_limit_is_asked_in_parts(
    scripted: Callable[..., ScriptedServer],
) -> None:
    def script(request: Request) -> bytes | None:
        asked = [f"u{number}" for number in range(8) if f"u{number}".encode() in request.octets]
        entries = b"".join(request.entry(uid=[login.encode()]) for login in asked)
        return entries + request.done(0 if len(asked) <= 3 else 4)

    server = scripted(on_search(script))
    logins = [f"u{number}" for number in range(8)]

    assert found(ask(server.uri, *logins, timeout=5)) == set(logins)


def test_an_entry_without_its_key_makes_only_its_login_unavailable(
    scripted: Callable[..., ScriptedServer],
) -> None:
    def script(request: Request) -> bytes | None:
        hidden = request.entry(givenName=[b"X"]) if b"vip" in request.octets else b""
        jane = request.entry(**JANE) if b"jdoe" in request.octets else b""
        return hidden + jane + request.done()

    server = scripted(on_search(script))

    answers = ask(server.uri, "jdoe", "vip", "nobody", "else", timeout=5)

    assert found(answers) == {"jdoe"}
    assert answers["nobody"] == answers["else"] == Absent()
    assert "an entry came without uid" in reason({"vip": answers["vip"]})


def test_an_entry_that_code_does_not_take_for_the_login_is_not_it(
    scripted: Callable[..., ScriptedServer],
) -> None:
    server = scripted(on_search(lambda request: request.entry(uid=[b"muller"]) + request.done()))

    assert ask(server.uri, "m\u00fcller") == {"m\u00fcller": Absent()}


def test_values_that_come_in_ranges_are_fetched_all(
    scripted: Callable[..., ScriptedServer],
) -> None:
    def script(request: Request) -> bytes | None:
        if b"memberof;range=2-*" in request.octets:
            return request.entry(**{"memberOf;range=2-*": [b"c"]}) + request.done()
        some = {"memberOf": [], "memberOf;range=0-1": [b"a", b"b"]}
        return request.entry(uid=[b"jdoe"], **some) + request.done()

    server = scripted(on_search(script))

    answer = ask(server.uri, map={"UserLogin": "uid", "UserGroups": "memberOf"})["jdoe"]

    assert isinstance(answer, Found)
    assert answer.customer_user.attributes["UserGroups"] == ("a", "b", "c")
    assert len(server.searches) == 2


def test_targetaddress_loses_its_prefix_and_names_come_in_any_case(
    scripted: Callable[..., ScriptedServer],
) -> None:
    entry = {"UID": [b"jdoe"], "TargetAddress": [b"SMTP:a@b.example"], "Description": [b"SMTP:x"]}
    server = scripted(on_search(lambda request: request.entry(**entry) + request.done()))

    answer = ask(
        server.uri,
        map={"UserLogin": "uid", "UserEmail": "targetaddress", "UserComment": "description"},
    )["jdoe"]

    assert isinstance(answer, Found)
    assert answer.customer_user.attributes == {
        "UserLogin": "jdoe",
        "UserEmail": "a@b.example",
        "UserComment": "SMTP:x",
    }


@pytest.mark.parametrize("code", [10, 50, 51])
def test_a_manager_that_cannot_be_asked_for_makes_only_his_people_unavailable(
    scripted: Callable[..., ScriptedServer], code: int
) -> None:
    def script(request: Request) -> bytes | None:
        if b"cn=boss" in request.octets:
            return request.done(code)
        people = [{"uid": [b"free"]}, {"uid": [b"emp"], "manager": [b"cn=boss"]}]
        return b"".join(request.entry(**one) for one in people) + request.done()

    server = scripted(on_search(script))

    answers = ask(
        server.uri,
        "emp",
        "free",
        translate_manager_to="cn",
        map={"UserLogin": "uid", "UserManager": "manager"},
    )

    assert found(answers) == {"free"}
    assert f"(result {code})" in reason({"emp": answers["emp"]})


@pytest.mark.parametrize("dn", [b"", b"\xff"])
def test_a_manager_that_is_no_dn_is_an_empty_attribute(
    scripted: Callable[..., ScriptedServer], dn: bytes
) -> None:
    server = scripted(
        on_search(lambda request: request.entry(uid=[b"emp"], manager=[dn]) + request.done())
    )
    options = {"translate_manager_to": "cn", "map": {"UserLogin": "uid", "M": "manager"}}

    answer = ask(server.uri, "emp", **options)["emp"]

    assert isinstance(answer, Found)
    assert answer.customer_user.attributes == {"UserLogin": "emp"}
    assert len(server.searches) == 1


def test_a_manager_who_is_not_told_in_time_is_unavailable(
    scripted: Callable[..., ScriptedServer],
) -> None:
    def script(request: Request) -> bytes | None:
        if b"cn=boss" in request.octets:
            return SILENCE
        return request.entry(uid=[b"emp"], manager=[b"cn=boss"]) + request.done()

    server = scripted(on_search(script))
    options = {"translate_manager_to": "cn", "map": {"UserLogin": "uid", "M": "manager"}}

    assert "no answer within" in reason(ask(server.uri, "emp", **options))


def test_a_connection_closed_while_idle_is_opened_anew(people: LdapDirectory, relay: Relay) -> None:
    with source(relay.uri) as asked:
        asked.find(["jdoe"])
        relay.cut()

        assert found(dict(asked.find(["jdoe"]))) == {"jdoe"}
    assert relay.connections == 2


def test_a_half_open_connection_is_given_up_in_time_for_a_new_one(
    people: LdapDirectory, relay: Relay
) -> None:
    with source(relay.uri, timeout=1.5) as asked:
        asked.find(["jdoe"])
        relay.swallow()
        with Stopwatch() as watch:
            assert found(dict(asked.find(["jdoe"]))) == {"jdoe"}
        assert watch.seconds < 1.5
    assert relay.connections == 2


def test_one_connection_serves_many_lookups(people: LdapDirectory, relay: Relay) -> None:
    with source(relay.uri) as asked:
        for _ in range(5):
            asked.find(["jdoe", "nobody"])

    assert relay.connections == 1


def test_a_server_that_forgot_the_bind_is_bound_to_anew(
    scripted: Callable[..., ScriptedServer],
) -> None:
    def script(request: Request) -> bytes | None:
        forgot = server.connections == 1 and len(server.searches) > 1
        return request.done(1) if forgot else request.entry(**JANE) + request.done()

    server = scripted(on_search(script))

    with source(server.uri) as asked:
        assert found(dict(asked.find(["jdoe"]))) == {"jdoe"}
        assert found(dict(asked.find(["jdoe"]))) == {"jdoe"}
    assert server.connections == 2


def test_a_notice_of_disconnection_is_no_answer_and_the_next_lookup_recovers(
    scripted: Callable[..., ScriptedServer],
) -> None:
    notice = tlv(
        0x30,
        b"\x02\x01\x00"
        + tlv(0x78, b"\x0a\x01\x34\x04\x00\x04\x00" + tlv(0x8A, b"1.3.6.1.4.1.1466.20036")),
    )

    def script(request: Request) -> bytes | None:
        if server.connections == 1:
            return notice
        return request.entry(**JANE) + request.done()

    server = scripted(on_search(script))

    with source(server.uri) as asked:
        assert "terminated by server" in reason(dict(asked.find(["jdoe"])))
        assert found(dict(asked.find(["jdoe"]))) == {"jdoe"}


def test_the_next_host_is_asked_when_one_refuses(people: LdapDirectory) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{closed.getsockname()[1]}"

        assert found(ask([dead, people.server.uri])) == {"jdoe"}


@pytest.mark.parametrize("answer", [SILENCE, HANG_UP, b"nonsense that is no LDAP"])
def test_the_next_host_is_asked_when_one_accepts_and_fails(
    people: LdapDirectory, scripted: Callable[..., ScriptedServer], answer: bytes | None
) -> None:
    ill = scripted(at(BIND, answer))

    assert found(ask([ill.uri, people.server.uri], timeout=2)) == {"jdoe"}


def test_when_all_hosts_fail_the_reason_names_each(
    scripted: Callable[..., ScriptedServer],
) -> None:
    busy = scripted(lambda request: request.done(51))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"ldap://127.0.0.1:{closed.getsockname()[1]}"

        assert reason(ask([dead, busy.uri])) == (
            f"{dead}: ConnectionRefusedError: Connection refused; "
            f"{busy.uri}: bind refused: busy (result 51)"
        )


def test_a_refused_password_is_not_tried_on_the_next_host(
    people: LdapDirectory, scripted: Callable[..., ScriptedServer]
) -> None:
    refuses = scripted(lambda request: request.done(49))
    other = scripted(polite)

    answers = ask([refuses.uri, other.uri], user_dn="cn=x", user_pw="open sesame")

    assert reason(answers) == f"{refuses.uri}: bind refused: invalidCredentials (result 49)"
    assert other.connections == 0


def test_a_socket_path_is_a_host(scripted: Callable[..., ScriptedServer], tmp_path: Path) -> None:
    path = tmp_path / "ldapi"
    scripted(on_search(lambda request: request.entry(**JANE) + request.done()), path=str(path))

    assert found(ask(f"ldapi://{str(path).replace('/', '%2F')}")) == {"jdoe"}
    assert reason(ask("ldapi:///no/such/socket")).endswith("No such file or directory")


def test_an_address_that_refuses_gives_way_to_the_next_of_the_same_name(
    people: LdapDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def two(_: str, port: int, family: int, kind: int, *, flags: int = 0) -> Any:
        (good,) = resolve("127.0.0.1", port, family, kind, flags=flags)
        return [(*good[:4], ("127.0.0.3", port)), good]

    monkeypatch.setattr(socket, "getaddrinfo", two)

    assert found(ask(f"ldap.example.org:{people.server.port}")) == {"jdoe"}


def test_a_name_without_any_address_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])

    assert "the host has no address" in reason(ask("ldap.example.org"))


# --- TLS ---


def tls(server: SlapdServer, **options: Any) -> dict[str, Any]:
    return {"tls": {"ca_file": server.ca_file, **options}, "timeout": 5}


def test_ldaps_answers_when_its_certificate_is_in_order(people: LdapDirectory) -> None:
    assert found(ask(people.server.ldaps_uri, **tls(people.server))) == {"jdoe"}


def test_starttls_answers_on_the_plain_port(people: LdapDirectory) -> None:
    options = tls(people.server, start_tls=True)
    named = f"localhost:{people.server.port}"

    assert found(ask(people.server.uri, **options)) == {"jdoe"}
    assert found(ask(named, **options)) == {"jdoe"}
    with source(people.server.uri, **options) as asked:
        asked.find(["jdoe"])
        kept = asked._client._kept
        assert kept is not None
        assert isinstance(kept.wire.raw, ssl.SSLSocket)


@pytest.mark.parametrize("start_tls", [True, False])
def test_an_unknown_authority_is_unavailable_and_says_so(
    people: LdapDirectory, tmp_path: Path, start_tls: bool
) -> None:
    ca_file, _, _ = write_certificates(tmp_path)
    host = people.server.uri if start_tls else people.server.ldaps_uri

    for other in (str(ca_file), None):
        answers = ask(host, tls={"ca_file": other, "start_tls": start_tls}, timeout=5)
        assert "certificate verification failed" in reason(answers)


@pytest.mark.parametrize("start_tls", [True, False])
def test_a_certificate_of_another_name_is_unavailable_and_says_so(
    people: LdapDirectory, start_tls: bool
) -> None:
    port = people.server.ports[0 if start_tls else 1]
    with contextlib.closing(Relay(port, address="127.0.0.2")) as relay:
        uri = relay.uri if start_tls else relay.uri.replace("ldap:", "ldaps:")

        checked = ask(uri, **tls(people.server, start_tls=start_tls))
        unchecked = ask(uri, tls={"verify": False, "start_tls": start_tls}, timeout=5)

    assert "certificate verification failed" in reason(checked)
    assert "127.0.0.2" in reason(checked)
    assert found(unchecked) == {"jdoe"}


def test_a_missing_authority_file_is_unavailable_and_named(people: LdapDirectory) -> None:
    answers = ask(people.server.ldaps_uri, tls={"ca_file": "/no/such/ca.pem"})

    assert "FileNotFoundError" in reason(answers)


def test_ldaps_to_a_plain_port_is_unavailable(people: LdapDirectory) -> None:
    plain = people.server.uri.replace("ldap:", "ldaps:")

    assert reason(ask(plain, **tls(people.server)))


@pytest.mark.parametrize("start_tls", [True, False])
def test_a_tls_handshake_that_hangs_is_left_at_the_deadline(
    scripted: Callable[..., ScriptedServer], start_tls: bool
) -> None:
    server = scripted(lambda request: request.done() if request.operation == EXTENDED else SILENCE)
    host = server.uri if start_tls else server.uri.replace("ldap:", "ldaps:")

    assert "no answer within" in reason(ask(host, tls={"start_tls": start_tls}))


@pytest.mark.parametrize("answer", [2, 52, 53, 1])
def test_no_password_is_sent_when_starttls_is_refused(
    scripted: Callable[..., ScriptedServer], answer: int
) -> None:
    server = scripted(lambda request: request.done(answer if request.operation == EXTENDED else 0))

    answers = ask(server.uri, tls={"start_tls": True}, user_dn="cn=x", user_pw="open sesame")

    assert "StartTLS refused: " in reason(answers)
    assert [request.operation for request in server.requests] == [EXTENDED]
    assert b"sesame" not in b"".join(request.octets for request in server.requests)


def test_no_password_is_sent_when_the_certificate_is_wrong(
    scripted: Callable[..., ScriptedServer], tmp_path: Path
) -> None:
    _, certificate, key = write_certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = scripted(polite, tls=context)

    answers = ask(
        server.uri.replace("ldap:", "ldaps:"), user_dn="cn=x", user_pw="sesame", timeout=5
    )

    assert "certificate verification failed" in reason(answers)
    assert server.requests == []


def test_a_client_certificate_is_shown_to_a_server_that_asks_for_one(
    scripted: Callable[..., ScriptedServer], tmp_path: Path
) -> None:
    ca_file, certificate, key = write_certificates(tmp_path)
    client_cert, client_key = _client_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client_cert))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    server = scripted(
        on_search(lambda request: request.entry(**JANE) + request.done()), tls=context
    )
    host = server.uri.replace("ldap:", "ldaps:")
    client = {"cert_file": str(client_cert), "key_file": str(client_key)}

    assert found(ask(host, tls={"ca_file": str(ca_file), **client}, timeout=5)) == {"jdoe"}
    assert reason(ask(host, tls={"ca_file": str(ca_file)}, timeout=5))


def _client_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fieldfare")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "client.pem", folder / "client.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


# --- referrals ---


def test_a_referral_is_unavailable_unless_it_may_be_followed(
    people: LdapDirectory, scripted: Callable[..., ScriptedServer]
) -> None:
    server = scripted(on_search(lambda request: request.referral(people.server.uri)))

    assert "referral (result 10)" in reason(ask(server.uri))
    assert found(ask(server.uri, "jdoe", "nobody", referrals=True)) == {"jdoe"}


def test_continuations_are_followed_only_if_asked_for(
    people: LdapDirectory, scripted: Callable[..., ScriptedServer]
) -> None:
    place = f"{people.server.uri}/ou=people,dc=example,dc=com??sub"
    server = scripted(on_search(lambda request: request.reference(place) + request.done()))

    assert ask(server.uri) == {"jdoe": Absent()}
    assert found(ask(server.uri, referrals=True)) == {"jdoe"}


def test_a_place_referred_to_that_does_not_answer_is_unavailable(
    scripted: Callable[..., ScriptedServer],
) -> None:
    hangs = scripted(at(SEARCH, SILENCE))
    refers = scripted(on_search(lambda request: request.reference(hangs.uri) + request.done()))
    nowhere = scripted(on_search(lambda request: request.referral("http://example.org")))

    assert "no answer within" in reason(ask(refers.uri, referrals=True))
    assert "without a readable URI" in reason(ask(nowhere.uri, referrals=True))


def test_a_referral_from_a_protected_server_is_protected_too(
    scripted: Callable[..., ScriptedServer], tmp_path: Path
) -> None:
    ca_file, certificate, key = write_certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    plain = scripted(at(EXTENDED, HANG_UP))
    protected = scripted(on_search(lambda request: request.referral(plain.uri)), tls=context)

    answers = ask(
        protected.uri.replace("ldap:", "ldaps:"),
        tls={"ca_file": str(ca_file)},
        referrals=True,
        user_dn="cn=x",
        user_pw="sesame",
        timeout=5,
    )

    assert reason(answers).startswith(plain.uri)
    assert [request.operation for request in plain.requests] == [EXTENDED]
