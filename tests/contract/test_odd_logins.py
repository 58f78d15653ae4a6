"""Logins with any characters: over every real server, no login is handed the entry of another."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory.cache import Cache
from directory.model import Absent, Answer, Found
from directory.source import CustomerUserSource
from tests.contract.ldap_source import LdapDirectory
from tests.contract.sql_source import SqlDirectory
from tests.servers import RedisServer

NEIGHBOURS = (
    *("jdoe", "jdöe", "joe", "JANE", "strasse", "straße", "i", "\u0131", "über", "éb", "k"),
    *("e\u0301a", "o'neil", 'o"neil', "a%b", "a_b", "a*b", "(x)", "x)(uid=*", "back\\slash"),
    *("sp ace", "{a,b}", "1", "01", "null", "0x31", "😀", "שלום", "οδοσ", "--", "; x"),
)
"""Logins that have an entry each, with look-alikes under some collation or matching rule."""

SENSITIVE_NEIGHBOURS = ("Jdoe", "jane")
"""More of them where case counts: another person each."""

AROUND = (
    *("", " ", "  ", "\t", "\0", "%", "_", "*", "'", '"', "\\", ")"),
    *("\u0301", "\u00ad", "\u200b"),
)

STRANGERS = (
    *("\u212a", "\u0130", "STRASSE", "STRAßE", "ΟΔΟΣ", "οδος", "\u00e9a", "I"),
    *("\uff4a\uff44\uff4f\uff45", "*", "%", "_", "' OR '1'='1", "1 OR 1=1", "jdoe\\", "*)(uid=*"),
    *("\\2a", "\\6adoe", "jdoe'; DROP TABLE people; --", "\ud83d\ude00", "\udcff"),
    *("x" * 10_000, "'" * 10_000, "\\" * 5_000, "😀" * 2_500),
    *("1.0", "1e0", " 1", "+1", "true", "NULL"),
)

ODD = st.one_of(
    st.text(st.characters(), min_size=1, max_size=12),  # lone surrogates among them
    st.sampled_from((*NEIGHBOURS, *SENSITIVE_NEIGHBOURS, *STRANGERS)),
    st.sampled_from(NEIGHBOURS).map(str.upper),
    st.sampled_from(NEIGHBOURS).map(str.title),
    st.sampled_from(NEIGHBOURS).map(lambda login: unicodedata.normalize("NFD", login)),
    st.sampled_from(NEIGHBOURS).map(lambda login: f"\u202e{login[::-1]}"),
    st.sampled_from(NEIGHBOURS).map(lambda login: login + " " * 10_000),
    st.tuples(*map(st.sampled_from, (AROUND, NEIGHBOURS, AROUND))).map("".join),
)

LOGINS = st.lists(ODD, min_size=1, max_size=8, unique=True)


@dataclass(frozen=True, slots=True)
class Village:
    """A source with the neighbours in it.

    Attributes:
        source: keeps its answers for some minutes, where there is a cache.
        same: whether a login may belong to the entry of a neighbour.
        known: the logins of all entries.
    """

    source: CustomerUserSource
    same: Callable[[str, str], bool]
    known: frozenset[str]


def exactly(login: str, neighbour: str) -> bool:
    return login == neighbour


def letter_by_letter(login: str, neighbour: str) -> bool:
    """The same but for capital letters."""
    return len(login) == len(neighbour) and all(
        one == other
        or (one.lower() == other and other.upper() == one)
        or (one.upper() == other and other.lower() == one)
        for one, other in zip(login, neighbour, strict=True)
    )


def as_ldap_prepares(login: str, neighbour: str) -> bool:
    """The same once what nobody sees is gone, forms are one, and blanks are squeezed."""

    def prepared(text: str) -> str:
        seen = "".join(
            " " if letter in "\t\n\v\f\r\x85\u2028\u2029" else letter
            for letter in text
            if letter in "\t\n\v\f\r\x85"
            or (
                unicodedata.category(letter) not in {"Cc", "Cf"}
                and not "\ufe00" <= letter <= "\ufe0f"
                and letter != "\u034f"
            )
        )
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
        return " ".join(part for part in folded.split(" ") if part)

    return prepared(login) == prepared(neighbour)


@pytest.fixture(
    scope="module",
    params=[
        *("sqlite", "sqlite, case counts", "postgresql", "postgresql, case counts"),
        *("mariadb", "mariadb, case counts", "ldap", "ldap, case counts"),
    ],
)
def village(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Village]:
    kind, _, sensitive = request.param.partition(", ")
    known = (*NEIGHBOURS, *(SENSITIVE_NEIGHBOURS if sensitive else ()))
    if kind == "ldap":
        server = request.getfixturevalue("slapd_server")
        server.start()
        server.clear()
        ldap = LdapDirectory(server)
        # To labeledURI case counts, to uid it does not.
        key = "labeledURI" if sensitive else "uid"
        for number, login in enumerate(known):
            ldap.add_entry(f"n{number}", **{key: login})
        made = ldap.source(customer_key=key, map={"UserLogin": key}, cache_ttl=300, timeout=60)
        yield Village(made, as_ldap_prepares, frozenset(known))
        ldap.close()
        return
    folder = tmp_path_factory.mktemp("village")
    database = None if kind == "sqlite" else request.getfixturevalue(f"{kind}_server")
    url = (
        f"sqlite:///{folder / 'people.sqlite'}" if database is None else database.create_database()
    )
    sql = SqlDirectory(url, database, folder)
    for login in known:
        sql.add_person(login, "Jane", "Doe", "jane@cust.test", "acme")
    source = sql.source(case_sensitive=bool(sensitive), cache_ttl=300, timeout=60)
    yield Village(source, exactly if sensitive else letter_by_letter, frozenset(known))
    sql.close()
    if database is not None:
        database.drop_database(url)


def owners(answers: Mapping[str, Answer]) -> dict[str, str | None]:
    """Whose entry each login was handed; None is nobody's."""
    told = {}
    for login, answer in answers.items():
        assert isinstance(answer, Found | Absent), answer
        told[login] = answer.customer_user.login if isinstance(answer, Found) else None
    return told


def test_no_login_is_ever_handed_the_entry_of_another(
    village: Village, redis_server: RedisServer
) -> None:
    redis_server.flush()
    asked: dict[str, str | None] = {}
    with redis_server.client() as client:
        cache = Cache(client)

        @settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
        @given(LOGINS)
        def holds(logins: Sequence[str]) -> None:
            handed = owners(village.source.find(logins))
            assert set(handed) == set(logins)
            for login, owner in handed.items():
                assert owner is None or village.same(login, owner)
                assert owner == login or login not in village.known
            # Neither company nor what was asked before makes a difference.
            first = logins[0]
            assert owners(village.source.find([first]))[first] == handed[first]
            for login in logins:
                assert owners(cache.find(village.source, [login]))[login] == handed[login]
                assert asked.setdefault(login, handed[login]) == handed[login]

        holds()
    assert asked.keys() & village.known, "some of them have an entry"
