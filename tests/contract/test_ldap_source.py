"""What only an LDAP source has, shown on slapd; ``test_sources.py`` has what all sources share."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from directory import ldap_connection
from directory.errors import SourceMisconfigured, SourceUnavailable
from directory.folding import fold
from directory.ldap import LdapSource
from directory.ldap_messages import Search
from directory.ldap_text import prepared
from directory.model import Absent, Answer, Found, Unavailable
from tests.contract.ldap_source import LdapDirectory
from tests.servers import SlapdServer


@pytest.fixture
def people(slapd: SlapdServer) -> Iterator[LdapDirectory]:
    directory = LdapDirectory(slapd)
    yield directory
    directory.close()


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[Search]:
    """Every search that goes out, seen on its way."""
    seen: list[Search] = []
    ask = ldap_connection._ask

    def spy(connection: Any, request: Search, deadline: Any) -> Any:
        seen.append(request)
        return ask(connection, request, deadline)

    monkeypatch.setattr(ldap_connection, "_ask", spy)
    return seen


def attributes(source: LdapSource, login: str) -> Mapping[str, Any]:
    """The attributes of a customer user who must be found."""
    answer = source.find([login])[login]
    assert isinstance(answer, Found), answer
    return answer.customer_user.attributes


def found_logins(answers: Mapping[str, Answer]) -> dict[str, str]:
    return {
        login: answer.customer_user.login
        for login, answer in answers.items()
        if isinstance(answer, Found)
    }


def unavailable(source: LdapSource, login: str = "jdoe") -> str:
    """The reason of a source that must be unavailable."""
    answer = source.find([login])[login]
    assert isinstance(answer, Unavailable), answer
    assert answer.slot == source.config.slot
    return answer.reason


def test_a_hundred_logins_cost_one_search(people: LdapDirectory, searches: list[Search]) -> None:
    people.add_person("u7", "Jane", "Doe", "jane@example.com", "acme")

    answers = people.source().find([f"u{number}" for number in range(100)])

    assert len(searches) == 1
    assert len(answers) == 100
    assert found_logins(answers) == {"u7": "u7"}


def test_five_hundred_logins_cost_three_searches(
    people: LdapDirectory, searches: list[Search]
) -> None:
    for number in (0, 199, 200, 499):
        people.add_person(f"u{number}", "Jane", "Doe", "jane@example.com", "acme")

    answers = people.source().find([f"u{number}" for number in range(500)])

    assert len(searches) == 3
    assert set(found_logins(answers)) == {"u0", "u199", "u200", "u499"}
    assert sum(answer == Absent() for answer in answers.values()) == 496


def test_only_the_mapped_attributes_are_asked_for_and_never_a_password(
    people: LdapDirectory, searches: list[Search]
) -> None:
    people.add_entry("jane", uid="jdoe", userPassword="{SSHA}x")
    source = people.source(extra_map={"UserPassword": "title", "Hash": "userPassword"})

    assert attributes(source, "jdoe") == {"UserLogin": "jdoe", "UserLastname": "Sn"}
    assert searches[0].attributes == ("uid", "givenname", "sn", "mail", "o", "telephonenumber")


def test_names_are_read_from_attributes_that_no_variable_shows(people: LdapDirectory) -> None:
    people.add_entry("jane", uid="jdoe", title="Dr.", givenName="Jane", initials="JD")
    source = people.source(
        map={"UserLogin": "uid", "UserPassword": "initials", "Hash": "Initials"},
        customer_user_name_fields=("Title", "givenName", "initials", "userPassword"),
    )

    answer = source.find(["jdoe"])["jdoe"]

    assert isinstance(answer, Found)
    assert answer.customer_user.attributes == {"UserLogin": "jdoe"}
    assert answer.customer_user.by_storage == {"Title": "Dr.", "givenName": "Jane"}


def test_customer_user_dynamic_fields_are_not_asked_of_the_server(
    people: LdapDirectory, searches: list[Search]
) -> None:
    people.add_entry("jane", uid="jdoe")
    rows = [
        ["UserLogin", "Login", "uid"],
        ["DynamicField_X", "X", "FieldX", 1, 0, "dynamic_field"],
    ]

    source = people.source(map=rows, customer_user_name_fields=("sn", "FieldX"))

    assert attributes(source, "jdoe") == {"UserLogin": "jdoe"}
    assert searches[0].attributes == ("uid", "sn")


@pytest.mark.parametrize("login", ["jdoe", "JDOE", "JDoe", " jdoe ", "jdoe  "])
def test_case_and_outer_blanks_do_not_matter_and_the_directory_spelling_is_reported(
    people: LdapDirectory, login: str
) -> None:
    people.add_entry("jane", uid="jdoe")

    assert found_logins(people.source().find([login])) == {login: "jdoe"}


@pytest.mark.parametrize(
    ("stored", "login"),
    [
        ("sp ace", "sp   ace"),
        ("über", "ÜBER"),
        ("a*b", "A*B"),
        ("p(1)", "p(1)"),
        ("back\\slash", "back\\slash"),
        ("straße", "STRAßE"),
        ("a\u00a0b", "a b"),
        ("日本", "日本"),
    ],
)
def test_what_the_server_matches_is_found(people: LdapDirectory, stored: str, login: str) -> None:
    people.add_entry("jane", uid=stored)

    assert found_logins(people.source().find([login, "other"])) == {login: stored}


def test_what_only_the_server_takes_for_the_same_is_handed_to_nobody(
    people: LdapDirectory,
) -> None:
    people.add_entry("jane", uid="ix")

    assert people.source().find(["İx"]) == {"İx": Absent()}


def test_where_case_counts_to_the_server_two_spellings_are_two_people(
    people: LdapDirectory,
) -> None:
    people.add_entry("small", labeledURI="jdoe")
    people.add_entry("capital", labeledURI="JDoe")
    source = people.source(customer_key="labeledURI", map={"UserLogin": "labeledURI"})

    answers = source.find(["jdoe", "JDoe", "JDOE"])

    assert found_logins(answers) == {"jdoe": "jdoe", "JDoe": "JDoe"}
    assert len({source.login_key(login) for login in answers}) == 3


def test_nothing_in_a_login_widens_the_search(people: LdapDirectory) -> None:
    people.add_entry("jane", uid="jdoe")
    logins = ["*", "j*", "jdoe)(uid=*", "jdoe*", "\\2a", "\\6adoe", "j doe", "jdo", "jdoee"]

    assert people.source().find(logins) == dict.fromkeys(logins, Absent())


@pytest.mark.parametrize(
    ("login", "charset", "reason"),
    [
        ("", "utf-8", "empty"),
        ("a\0b", "utf-8", "NUL"),
        ("a\ud800", "utf-8", "cannot be written in utf-8"),
        ("日本", "iso-8859-1", "cannot be written in iso-8859-1"),
    ],
)
def test_a_login_that_cannot_exist_is_absent_alone_and_says_why(
    people: LdapDirectory, login: str, charset: str, reason: str
) -> None:
    people.add_entry("jane", uid="jdoe")

    answers = people.source(source_charset=charset).find([login, "jdoe"])

    absent = answers[login]
    assert isinstance(absent, Absent)
    assert reason in absent.reason
    assert found_logins(answers) == {"jdoe": "jdoe"}


def test_logins_that_cannot_exist_are_not_asked_for(
    people: LdapDirectory, searches: list[Search]
) -> None:
    people.source().find(["", "\0"])

    assert searches == []


def test_every_value_of_the_key_attribute_finds_the_entry_and_the_first_is_its_login(
    people: LdapDirectory,
) -> None:
    people.add_entry("x", uid=["aaa", "bbb"])

    assert found_logins(people.source().find(["bbb"])) == {"bbb": "aaa"}
    assert attributes(people.source(), "bbb")["UserLogin"] == "aaa"


def test_two_logins_of_one_entry_are_both_found(
    people: LdapDirectory, searches: list[Search]
) -> None:
    people.add_entry("x", uid=["aaa", "bbb"])
    people.add_entry("y", uid="ccc")

    answers = people.source().find(["aaa", "bbb", "ccc"])

    assert found_logins(answers) == {"aaa": "aaa", "bbb": "aaa", "ccc": "ccc"}
    assert len(searches) == 3


def test_logins_that_only_code_takes_for_equal_are_told_apart_by_the_server(
    people: LdapDirectory,
) -> None:
    people.add_entry("x", uid="strasse")

    answers = people.source().find(["strasse", "straße", "STRASSE"])

    assert found_logins(answers) == {"strasse": "strasse", "STRASSE": "strasse"}
    assert answers["straße"] == Absent()


def test_of_several_entries_for_one_login_the_first_is_taken(people: LdapDirectory) -> None:
    people.add_entry("one", uid="one", employeeType="K1", givenName="One")
    people.add_entry("two", uid="two", employeeType="K1", givenName="Two")
    source = people.source(customer_key="employeeType", extra_map={"UserLogin": "employeeType"})

    assert attributes(source, "k1")["UserFirstname"] == "One"


def test_an_entry_without_the_attribute_of_userlogin_is_no_customer_user(
    people: LdapDirectory,
) -> None:
    people.add_entry("jane", uid="jdoe")
    source = people.source(extra_map={"UserLogin": "employeeNumber"})

    assert source.find(["jdoe"]) == {"jdoe": Absent("its entry has no text in employeenumber")}


def test_values_come_as_text_texts_or_octets_and_missing_ones_not_at_all(
    people: LdapDirectory,
) -> None:
    people.add_entry(
        "jane",
        uid="jdoe",
        givenName=["Zed", "Amy"],
        telephoneNumber="0",
        postalAddress="Street 1$12345 City",
        manager="uid=boss,dc=example,dc=com",
        description=" two  blanks ",
        title="Jürgen 日本",
        jpegPhoto=b"\xff\xd8\xff",
        audio=b"AB\0CD",
    )
    source = people.source(
        extra_map={
            "Address": "POSTALADDRESS",
            "Manager": "manager",
            "Comment": "description",
            "Title": "Title",
            "Photo": "jpegPhoto",
            "Sound": "audio",
            "Foo": "noSuchAttribute",
        }
    )

    assert attributes(source, "jdoe") == {
        "UserLogin": "jdoe",
        "UserFirstname": ("Zed", "Amy"),
        "UserLastname": "Sn",
        "UserPhone": "0",
        "Address": "Street 1$12345 City",
        "Manager": "uid=boss,dc=example,dc=com",
        "Comment": " two  blanks ",
        "Title": "Jürgen 日本",
        "Photo": b"\xff\xd8\xff",
        "Sound": b"AB\0CD",
    }


def test_source_charset_reads_a_server_that_breaks_the_standard(people: LdapDirectory) -> None:
    people.add_entry("jane", uid="jdoe", givenName="Jürgen")

    latin = people.source(source_charset="iso-8859-1")

    assert attributes(latin, "jdoe")["UserFirstname"] == "J\u00c3\u00bcrgen"
    assert attributes(people.source(), "jdoe")["UserFirstname"] == "Jürgen"


def test_the_last_row_of_a_variable_counts(people: LdapDirectory) -> None:
    people.add_entry("jane", uid="jdoe", givenName="Jane")
    rows = [["UserLogin", "", "uid"], ["X", "", "givenName"], ["X", "", "title"]]

    assert attributes(people.source(map=rows), "jdoe") == {"UserLogin": "jdoe"}


def test_a_manager_is_translated_with_one_search_for_each_of_them(
    people: LdapDirectory, searches: list[Search]
) -> None:
    boss = people.add_entry("The Böss", uid="boss")
    for login in ("emp1", "emp2"):
        people.add_entry(login, uid=login, manager=boss)
    people.add_entry("emp3", uid="emp3", manager=[boss, people.add_entry("Deputy", uid="dep")])
    people.add_entry("free", uid="free")
    source = people.source(translate_manager_to="CN", extra_map={"UserManager": "Manager"})

    answers = source.find(["emp1", "emp2", "emp3", "free"])

    assert {
        login: answer.customer_user.attributes.get("UserManager")
        for login, answer in answers.items()
        if isinstance(answer, Found)
    } == {
        "emp1": "The Böss",
        "emp2": "The Böss",
        "emp3": ("The Böss", "Deputy"),
        "free": None,
    }
    assert [request.scope for request in searches] == ["sub", "base", "base"]


def test_a_manager_that_does_not_exist_is_an_empty_attribute(people: LdapDirectory) -> None:
    people.add_entry("orphan", uid="orphan", manager="uid=gone,dc=example,dc=com")
    source = people.source(translate_manager_to="cn", extra_map={"UserManager": "manager"})

    assert attributes(source, "orphan") == {"UserLogin": "orphan", "UserLastname": "Sn"}


def test_managers_are_looked_up_only_if_the_map_names_them(
    people: LdapDirectory, searches: list[Search]
) -> None:
    people.add_entry("emp", uid="emp", manager="uid=gone,dc=example,dc=com")

    people.source(translate_manager_to="cn").find(["emp"])

    assert len(searches) == 1


def test_always_filter_restricts_the_source(people: LdapDirectory) -> None:
    people.add_entry("in", uid="in", title="staff")
    people.add_entry("out", uid="out", title="left")

    source = people.source(always_filter="(objectClass=person)(title=staff)")

    assert found_logins(source.find(["in", "out"])) == {"in": "in"}
    assert found_logins(source.find(["in"])) == {"in": "in"}


def test_filters_of_searches_do_not_bear_on_lookups(people: LdapDirectory) -> None:
    people.add_entry("jane", uid="jdoe")
    source = people.source(
        customer_user_valid_filter="(title=nobody)", group_dn="cn=none,dc=example,dc=com", die=1
    )

    assert found_logins(source.find(["jdoe"])) == {"jdoe": "jdoe"}


@pytest.mark.parametrize(
    ("base", "scope", "known"),
    [
        ("dc=example,dc=com", "sub", True),
        ("dc=example,dc=com", "one", False),
        ("ou=people,dc=example,dc=com", "one", True),
        ("ou=people,dc=example,dc=com", "base", False),
        ("cn=jane,ou=people,dc=example,dc=com", "base", True),
        ("ou=groups,dc=example,dc=com", "sub", False),
    ],
)
def test_sscope_says_how_deep_the_search_goes(
    people: LdapDirectory, base: str, scope: str, known: bool
) -> None:
    people.add_entry("jane", uid="jdoe")

    answers = people.source(base_dn=base, sscope=scope).find(["jdoe"])

    assert bool(found_logins(answers)) is known
    assert known or answers == {"jdoe": Absent()}


def test_a_base_that_does_not_exist_is_unavailable_not_absent(people: LdapDirectory) -> None:
    source = people.source(base_dn="ou=gone,dc=example,dc=com", slot="4")

    assert "noSuchObject: base_dn 'ou=gone,dc=example,dc=com'" in unavailable(source)
    with pytest.raises(SourceUnavailable, match="noSuchObject"):
        source.ping()


def test_a_password_binds_and_a_wrong_one_is_unavailable_and_never_shown(
    people: LdapDirectory,
) -> None:
    people.add_entry("jane", uid="jdoe")
    right = people.source(user_dn=people.server.admin_dn, user_pw=people.server.admin_password)
    wrong = people.source(user_dn=people.server.admin_dn, user_pw="open sesame")

    assert found_logins(right.find(["jdoe"])) == {"jdoe": "jdoe"}
    reason = unavailable(wrong)
    assert "bind refused: invalidCredentials" in reason
    assert "sesame" not in reason
    assert "sesame" not in repr(vars(wrong))


@pytest.mark.parametrize("options", [{"user_dn": "cn=x"}, {"user_pw": "x"}, {"user_dn": ""}])
def test_without_both_name_and_password_the_bind_is_anonymous(
    people: LdapDirectory, options: dict[str, str]
) -> None:
    people.add_entry("jane", uid="jdoe")

    assert found_logins(people.source(**options).find(["jdoe"])) == {"jdoe": "jdoe"}


def test_ping_is_quiet_when_the_server_answers_and_tells_when_it_does_not(
    people: LdapDirectory,
) -> None:
    source = people.source(slot="2")

    source.ping()
    people.stop()
    with pytest.raises(SourceUnavailable, match=r"CustomerUser2 .*Connection refused"):
        source.ping()


def test_after_an_outage_the_same_source_answers_again(people: LdapDirectory) -> None:
    people.add_entry("jane", uid="jdoe")
    source = people.source()

    assert found_logins(source.find(["jdoe"])) == {"jdoe": "jdoe"}
    people.stop()
    assert "Connection refused" in unavailable(source)
    people.start()
    assert found_logins(source.find(["jdoe"])) == {"jdoe": "jdoe"}


def test_a_restart_between_two_lookups_goes_unnoticed(people: LdapDirectory) -> None:
    people.add_entry("jane", uid="jdoe")
    source = people.source()

    source.find(["jdoe"])
    people.stop()
    people.start()

    assert found_logins(source.find(["jdoe"])) == {"jdoe": "jdoe"}


def test_after_close_the_next_lookup_connects_again(people: LdapDirectory) -> None:
    people.add_entry("jane", uid="jdoe")
    source = people.source()
    source.close()

    source.find(["jdoe"])
    source.close()
    source.close()

    assert found_logins(source.find(["jdoe"])) == {"jdoe": "jdoe"}


def test_parent_and_child_of_a_fork_do_not_share_a_connection(people: LdapDirectory) -> None:
    people.add_entry("jane", uid="jdoe")
    source = people.source()
    source.find(["jdoe"])
    kept = source._client._kept
    assert kept is not None
    parent_port = kept.wire.raw.getsockname()

    def in_child() -> bool:
        answered = found_logins(source.find(["jdoe"])) == {"jdoe": "jdoe"}
        own = source._client._kept
        return answered and own is not None and own.wire.raw.getsockname() != parent_port

    assert _succeeds_in_child(in_child)
    assert found_logins(source.find(["jdoe"])) == {"jdoe": "jdoe"}
    assert source._client._kept is kept


def _succeeds_in_child(work: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    # Scripts with capital letters, and none that came after Unicode 3.0, which is what slapd knows.
    login=st.text(
        st.characters(max_codepoint=0x21F, exclude_categories=["C"]), min_size=1, max_size=8
    )
)
def test_a_login_that_the_server_stores_is_found_with_other_case_and_blanks(
    people: LdapDirectory, login: str
) -> None:
    assume(prepared(login))
    people.server.clear()
    people.add_entry("somebody", uid=login)
    source = people.source()
    spellings = [login, f" {login} ", login.upper(), login.lower()]
    same = {
        spelling
        for spelling in spellings
        if fold(spelling.strip(" ")) == fold(login.strip(" ")) and max(spelling) <= "\u021f"
    }

    answers = source.find([*same, "somebody else"])

    assert found_logins(answers) == dict.fromkeys(same, login)
    source.close()


def test_a_source_in_which_somebody_can_be_found_passes_its_check(people: LdapDirectory) -> None:
    people.add_entry("jane", uid="jane")
    people.add_entry("john", uid="john")

    people.source(always_filter="(uid=john)").check()


@pytest.mark.parametrize(
    "wrong",
    [
        {"customer_key": "uidd"},
        {"always_filter": "(uid=nobody)"},
        {"base_dn": "ou=groups,dc=example,dc=com"},
    ],
)
def test_a_source_in_which_nobody_can_be_found_is_misconfigured(
    people: LdapDirectory, wrong: dict[str, str]
) -> None:
    people.add_entry("jane", uid="jane")

    with pytest.raises(SourceMisconfigured, match="every login would count as unknown"):
        people.source(**wrong).check()


def test_the_check_of_a_base_that_does_not_exist_says_so(people: LdapDirectory) -> None:
    with pytest.raises(SourceUnavailable, match="noSuchObject"):
        people.source(base_dn="ou=nowhere,dc=example,dc=com").check()
