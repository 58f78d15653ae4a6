"""Answers kept in Redis: for how long, for whom, and what a failing Redis costs."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import ANY

import pytest
import redis

from directory.cache import PATIENCE, PREFIX, Cache, keeps
from directory.config import LdapSourceConfig, SqlSourceConfig
from directory.directory import Directory
from directory.folding import fold
from directory.model import Absent, Answer, CustomerUser, Found, Unavailable
from tests.servers import RedisServer

JANE = CustomerUser(
    "1",
    "jdoe",
    {"UserLogin": "jdoe", "UserPhone": "ü 12", "Photo": b"\xff\xd8", "Tags": ("a", "b")},
    {"title": "Dr."},
)


def config(**settings: Any) -> SqlSourceConfig:
    return SqlSourceConfig.model_validate(
        {
            "slot": "1",
            "url": "postgresql://reader:hunter2@db/customers",
            "table": "people",
            "customer_key": "login",
            "customer_id": "customer_id",
            "map": {"UserLogin": "login"},
            "cache_ttl": 86400,
            **settings,
        }
    )


class Asked:
    """A source that knows jdoe and counts; ``before`` runs inside each question."""

    def __init__(self, **settings: Any) -> None:
        self.config = config(**settings)
        self.asked: list[list[str]] = []
        self.answers: dict[str, Answer] = {"jdoe": Found(JANE)}
        self.before: Callable[[], object] = list

    def find(self, logins: Sequence[str]) -> Mapping[str, Answer]:
        self.asked.append(list(logins))
        self.before()
        return {login: self.answers.get(self.login_key(login), Absent()) for login in logins}

    def customer_ids(self, term: str = "", *, valid_only: bool = True) -> frozenset[str]:
        return frozenset()

    def login_key(self, login: str) -> str:
        return fold(login)

    def ping(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


@pytest.fixture
def client(broker: RedisServer) -> Iterator["redis.Redis"]:
    made = broker.client()
    yield made
    made.close()


@pytest.fixture
def cache(client: "redis.Redis") -> Cache:
    return Cache(client)


def entries(client: "redis.Redis") -> list[str]:
    return sorted(client.keys(f"{PREFIX}:*"))


def test_an_answer_is_given_again_without_asking_and_says_so(cache: Cache) -> None:
    source = Asked()

    first = cache.find(source, ["jdoe", "nobody"])
    again = cache.find(source, ["jdoe", "nobody"])

    assert first == {"jdoe": Found(JANE), "nobody": Absent()}
    assert again == {"jdoe": Found(JANE, cached=True), "nobody": Absent(cached=True)}
    assert source.asked == [["jdoe", "nobody"]]


def test_bytes_lists_and_the_values_of_names_survive(cache: Cache) -> None:
    source = Asked()
    cache.find(source, ["jdoe"])

    answer = cache.find(source, ["jdoe"])["jdoe"]

    assert isinstance(answer, Found)
    assert answer.customer_user == JANE


def test_a_client_that_does_not_decode_serves_as_well(broker: RedisServer) -> None:
    with redis.Redis.from_url(broker.url) as client:
        source = Asked()
        cache = Cache(client)
        cache.find(source, ["jdoe"])

        assert cache.find(source, ["jdoe"]) == {"jdoe": Found(JANE, cached=True)}


def test_spellings_of_one_login_share_an_answer(cache: Cache) -> None:
    source = Asked()
    cache.find(source, ["jdoe"])

    assert cache.find(source, ["JDoe", "JDOE"]) == {
        "JDoe": Found(JANE, cached=True),
        "JDOE": Found(JANE, cached=True),
    }
    assert source.asked == [["jdoe"]]


def test_only_what_is_not_known_is_asked_for(cache: Cache) -> None:
    source = Asked()
    cache.find(source, ["jdoe"])

    cache.find(source, ["jdoe", "nobody"])

    assert source.asked == [["jdoe"], ["nobody"]]


def test_a_login_may_hold_anything(cache: Cache) -> None:
    source = Asked()
    logins = ["\ud800", "a\0b", "x" * 10_000, "😀"]

    for cached in (False, True):
        assert cache.find(source, logins) == dict.fromkeys(logins, Absent(cached=cached))


def test_an_absent_says_its_reason_from_the_cache_too(cache: Cache) -> None:
    source = Asked()
    source.answers["abc"] = Absent("the key column holds integers")
    cache.find(source, ["abc"])

    assert cache.find(source, ["abc"]) == {
        "abc": Absent("the key column holds integers", cached=True)
    }


@pytest.mark.parametrize(
    ("cache_ttl", "found_for", "absent_for"),
    [(86400, 300, 30), (120, 120, 30), (10, 10, 10)],
)
def test_answers_are_kept_for_the_shorter_of_the_settings(
    client: "redis.Redis", cache_ttl: int, found_for: int, absent_for: int
) -> None:
    cache = Cache(client, ttl_max=300, negative_ttl=30)
    source = Asked(cache_ttl=cache_ttl)

    cache.find(source, ["jdoe"])
    (found,) = entries(client)
    assert found_for - 2 <= client.ttl(found) <= found_for

    cache.find(source, ["nobody"])
    (absent,) = set(entries(client)) - {found}
    assert absent_for - 2 <= client.ttl(absent) <= absent_for


def test_a_negative_ttl_of_zero_keeps_no_absent(client: "redis.Redis") -> None:
    cache = Cache(client, negative_ttl=0)

    cache.find(Asked(), ["nobody"])

    assert entries(client) == []


def test_unavailable_is_never_kept(cache: Cache, client: "redis.Redis") -> None:
    source = Asked()
    source.answers["jdoe"] = Unavailable("1", "away")
    assert cache.find(source, ["jdoe"]) == {"jdoe": Unavailable("1", "away")}
    assert entries(client) == []

    source.answers["jdoe"] = Found(JANE)

    assert cache.find(source, ["jdoe"]) == {"jdoe": Found(JANE)}


def test_asking_afresh_asks_the_source_and_keeps_what_it_says(cache: Cache) -> None:
    source = Asked()
    source.answers.clear()
    cache.find(source, ["jdoe"])
    source.answers["jdoe"] = Found(JANE)

    assert cache.find(source, ["jdoe"]) == {"jdoe": Absent(cached=True)}
    assert cache.find(source, ["jdoe"], fresh=True) == {"jdoe": Found(JANE)}
    assert cache.find(source, ["jdoe"]) == {"jdoe": Found(JANE, cached=True)}


def test_a_fresh_answer_that_cannot_be_kept_ends_the_older_one(cache: Cache) -> None:
    source = Asked()
    cache.find(source, ["jdoe"])
    source.answers["jdoe"] = Unavailable("1", "away")

    cache.find(source, ["jdoe"], fresh=True)

    assert cache.find(source, ["jdoe"]) == {"jdoe": Unavailable("1", "away")}


@pytest.mark.parametrize(
    "other",
    [
        {"table": "others"},
        {"slot": "2"},
        {"url": "postgresql://reader@elsewhere/customers"},
        {"map": {"UserLogin": "login", "UserPhone": "phone"}},
    ],
)
def test_a_source_that_is_configured_otherwise_begins_afresh(
    cache: Cache, other: dict[str, Any]
) -> None:
    cache.find(Asked(), ["jdoe"])
    source = Asked(**other)

    assert cache.find(source, ["jdoe"]) == {"jdoe": Found(JANE)}
    assert source.asked == [["jdoe"]]


def test_a_new_password_keeps_the_answers_and_no_secret_or_login_shows_in_a_key(
    cache: Cache, client: "redis.Redis"
) -> None:
    cache.find(Asked(), ["jdoe"])
    source = Asked(url="postgresql://reader:another@db/customers", Password="third")

    assert cache.find(source, ["jdoe"]) == {"jdoe": Found(JANE, cached=True)}
    for text in ("hunter2", "jdoe", "reader"):
        assert [key for key in entries(client) if text in key] == []


@pytest.mark.parametrize(
    "entry", ["", "not json", "[]", "{}", '{"slot": 1}', '{"login": "x"}', "null", '"absent"']
)
def test_an_entry_that_is_not_an_answer_counts_as_none(
    cache: Cache, client: "redis.Redis", entry: str
) -> None:
    source = Asked()
    cache.find(source, ["jdoe"])
    (key,) = entries(client)
    client.set(key, entry)

    assert cache.find(source, ["jdoe"]) == {"jdoe": Found(JANE)}


def test_while_one_asks_the_others_wait_for_its_answer(broker: RedisServer) -> None:
    source = Asked()
    asking, answered = threading.Event(), threading.Event()
    source.before = lambda: (asking.set(), answered.wait(10))
    results: list[Mapping[str, Answer]] = []

    def find() -> None:
        with broker.client() as client:
            results.append(Cache(client).find(source, ["jdoe"]))

    first = threading.Thread(target=find)
    first.start()
    assert asking.wait(10)
    waiters: set[int] = set()
    all_wait = threading.Event()

    def wait(seconds: float) -> None:
        waiters.add(threading.get_ident())
        if len(waiters) == 3:
            all_wait.set()
        answered.wait(seconds)

    with broker.client() as client:
        waiting = Cache(client, sleep=wait)
        others = [
            threading.Thread(target=lambda: results.append(waiting.find(source, ["JDOE"])))
            for _ in range(3)
        ]
        for thread in others:
            thread.start()
        assert all_wait.wait(10)
        answered.set()
        for thread in [first, *others]:
            thread.join(10)

    assert source.asked == [["jdoe"]]
    assert sorted(repr(result) for result in results) == sorted(
        [repr({"jdoe": Found(JANE)}), *[repr({"JDOE": Found(JANE, cached=True)})] * 3]
    )


def test_who_waited_for_a_source_that_did_not_answer_asks_itself(broker: RedisServer) -> None:
    source = Asked()
    source.answers["jdoe"] = Unavailable("1", "away")
    inner: list[Mapping[str, Answer]] = []
    with broker.client() as client:
        # The answer of the first is on its way when the second comes; then it proves useless.
        lock = threading.Event()

        def sleep(_: float) -> None:
            lock.set()
            first.join(10)

        def meanwhile() -> None:
            if not asking.is_set():
                asking.set()
                lock.wait(10)

        asking = threading.Event()
        source.before = meanwhile
        first = threading.Thread(target=lambda: inner.append(Cache(client).find(source, ["jdoe"])))
        first.start()
        assert asking.wait(10)

        assert Cache(client, sleep=sleep).find(source, ["jdoe"]) == {
            "jdoe": Unavailable("1", "away")
        }

    assert inner == [{"jdoe": Unavailable("1", "away")}]
    assert source.asked == [["jdoe"], ["jdoe"]]


def test_nobody_waits_longer_than_the_sources_timeout(client: "redis.Redis") -> None:
    source = Asked(timeout=3)
    Cache(client).find(source, ["jdoe"])
    (key,) = entries(client)
    client.delete(key)
    client.set(f"{key}:lock", "of a worker that was killed")
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    cache = Cache(client, clock=lambda: now, sleep=sleep)

    assert cache.find(source, ["jdoe"]) == {"jdoe": Found(JANE)}
    assert 3.0 <= now < 3.1
    assert client.get(f"{key}:lock") == "of a worker that was killed"


def test_a_lock_outlives_the_sources_timeout_and_no_longer(
    cache: Cache, client: "redis.Redis"
) -> None:
    source = Asked(timeout=3)
    left: list[int] = []
    source.before = lambda: left.extend(
        client.pttl(key) for key in entries(client) if key.endswith(":lock")
    )

    cache.find(source, ["jdoe"])

    assert [3000 < milliseconds <= 4000 for milliseconds in left] == [True]
    assert [key for key in entries(client) if key.endswith(":lock")] == []


def test_a_lock_is_given_back_when_the_source_breaks(cache: Cache, client: "redis.Redis") -> None:
    source = Asked()

    def fail() -> None:
        raise ZeroDivisionError

    source.before = fail

    with pytest.raises(ZeroDivisionError):
        cache.find(source, ["jdoe"])

    assert entries(client) == []


def test_a_redis_that_is_away_costs_the_cache_and_nothing_else(broker: RedisServer) -> None:
    source = Asked()
    with broker.client() as client:
        cache = Cache(client)
        broker.stop()
        try:
            for fresh in (False, True):
                assert cache.find(source, ["jdoe"], fresh=fresh) == {"jdoe": Found(JANE)}
        finally:
            broker.start()

        assert cache.find(source, ["jdoe"]) == {"jdoe": Found(JANE)}
        assert cache.find(source, ["jdoe"]) == {"jdoe": Found(JANE, cached=True)}


def test_a_redis_that_goes_while_the_source_answers_costs_no_second_question(
    broker: RedisServer,
) -> None:
    source = Asked()
    with broker.client() as client:
        cache = Cache(client)
        source.before = broker.stop
        try:
            assert cache.find(source, ["jdoe"]) == {"jdoe": Found(JANE)}
        finally:
            broker.start()

    assert source.asked == [["jdoe"]]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, True),
        ({"cache_ttl": 0}, False),
        ({"url": None}, False),
        ({"url": None, "DSN": "DBI:Pg:dbname=x"}, True),
    ],
)
def test_a_source_in_the_ticket_database_or_without_a_ttl_is_not_kept(
    settings: dict[str, Any], kept: bool
) -> None:
    assert keeps(config(**settings)) is kept


def test_an_ldap_source_with_a_ttl_is_kept() -> None:
    settings = {
        "host": "ldap.example.org",
        "base_dn": "dc=example",
        "customer_key": "uid",
        "customer_id": "mail",
        "map": {"UserLogin": "uid"},
        "cache_ttl": 60,
    }

    assert keeps(LdapSourceConfig.model_validate(settings))


def test_the_directory_asks_the_cache_and_tells_what_came_from_it(cache: Cache) -> None:
    source = Asked()
    directory = Directory([source], cache=cache)

    def cached(*, fresh: bool = False) -> list[bool]:
        answers = directory.find(["jdoe", "nobody"], fresh=fresh)
        return [getattr(answer, "cached", False) for answer in answers.values()]

    assert cached() == [False, False]
    assert cached() == [True, True]
    assert cached(fresh=True) == [False, False]
    assert source.asked == [["jdoe", "nobody"]] * 2


def test_the_directory_keeps_nothing_of_a_source_without_a_ttl(
    cache: Cache, client: "redis.Redis"
) -> None:
    directory = Directory([Asked(cache_ttl=0)], cache=cache)

    directory.find(["jdoe"])

    assert entries(client) == []


# -- answers that stand in


def test_an_older_answer_stands_in_where_the_source_gives_none(cache: Cache) -> None:
    source = Asked(stale_if_unavailable="24h")
    cache.find(source, ["jdoe"])

    said = cache.stand_in(source, {"JDoe": Unavailable("1", "away"), "x": Unavailable("1", "")})

    assert said == {
        "JDoe": Found(JANE, cached=True, stale="away"),
        "x": Unavailable("1", ""),
    }


@pytest.mark.parametrize(("cache_ttl", "kept"), [(120, [120, 86400]), (0, [86400])])
def test_an_answer_stands_in_for_longer_than_it_counts_as_fresh(
    cache: Cache, client: "redis.Redis", cache_ttl: int, kept: list[int]
) -> None:
    source = Asked(cache_ttl=cache_ttl, stale_if_unavailable="24h")
    assert keeps(source.config)

    for _ in range(2):
        cache.find(source, ["jdoe"])

    times = sorted(int(client.ttl(key)) for key in entries(client))
    assert [limit - 2 <= time <= limit for time, limit in zip(times, kept, strict=True)] == [
        True
    ] * len(kept)
    assert len(source.asked) == (1 if cache_ttl else 2)


def test_who_is_absent_now_has_no_older_answer(cache: Cache, client: "redis.Redis") -> None:
    source = Asked(stale_if_unavailable="24h")
    cache.find(source, ["jdoe"])
    source.answers.clear()
    cache.find(source, ["jdoe"], fresh=True)
    silence = {"jdoe": Unavailable("1", "away")}

    assert cache.stand_in(source, silence) == silence
    assert [key for key in entries(client) if key.endswith(":stale")] == []


def test_a_source_that_gives_no_answer_leaves_the_older_one(cache: Cache) -> None:
    source = Asked(stale_if_unavailable="24h")
    cache.find(source, ["jdoe"])
    source.answers["jdoe"] = Unavailable("1", "away")

    for _ in range(2):
        said = cache.stand_in(source, cache.find(source, ["jdoe"], fresh=True))
        assert said == {"jdoe": Found(JANE, cached=True, stale="away")}


def test_nothing_stands_in_unless_the_source_is_set_so(cache: Cache, client: "redis.Redis") -> None:
    source = Asked()
    cache.find(source, ["jdoe"])
    silence = {"jdoe": Unavailable("1", "away")}

    assert cache.stand_in(source, silence) == silence
    assert [key for key in entries(client) if key.endswith(":stale")] == []


def test_another_duration_begins_afresh(cache: Cache) -> None:
    cache.find(Asked(stale_if_unavailable="7d"), ["jdoe"])
    silence = {"jdoe": Unavailable("1", "away")}

    assert cache.stand_in(Asked(stale_if_unavailable="1h"), silence) == silence


def test_without_redis_nothing_stands_in(broker: RedisServer) -> None:
    source = Asked(stale_if_unavailable="24h")
    silence = {"jdoe": Unavailable("1", "away")}
    with broker.client() as client:
        cache = Cache(client)
        broker.stop()
        try:
            assert cache.stand_in(source, silence) == silence
            assert cache.kept(source, ["jdoe"]) == {}
        finally:
            broker.start()


def test_an_outage_is_answered_from_the_cache_as_long_as_that_is_fresh(cache: Cache) -> None:
    source = Asked()
    directory = Directory([source], cache=cache)
    directory.find(["jdoe", "nobody"])

    said = directory.find(["jdoe", "nobody", "other"], outages={"1": "not asked"})

    assert said["jdoe"] == Found(CustomerUser("1", "jdoe", ANY, ANY), cached=True)
    assert said["nobody"] == Absent(cached=True)
    assert said["other"] == Unavailable("1", "not asked")
    fresh = directory.find(["nobody"], fresh=True, outages={"1": "not asked"})
    assert fresh == {"nobody": Unavailable("1", "not asked")}
    assert len(source.asked) == 1


@pytest.mark.parametrize("waited", [1.0, 2.0])
def test_who_waited_long_for_a_source_that_did_not_answer_asks_no_more(
    client: "redis.Redis", waited: float
) -> None:
    source = Asked(timeout=3)
    Cache(client).find(source, ["jdoe"])
    (key,) = entries(client)
    client.delete(key)
    client.set(f"{key}:lock", "of a worker that asks")
    source.asked.clear()
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now >= waited:
            client.delete(f"{key}:lock")

    answer = Cache(client, clock=lambda: now, sleep=sleep).find(source, ["jdoe"])["jdoe"]

    if waited > 3 * PATIENCE:
        assert answer == Unavailable("1", "no answer; another worker asks in vain")
        assert source.asked == []
    else:
        assert answer == Found(JANE)
        assert source.asked == [["jdoe"]]
    assert now < 3.0


def test_who_asked_in_vain_does_not_wait_for_others_as_long_again(client: "redis.Redis") -> None:
    source = Asked(timeout=3)
    Cache(client).find(source, ["other"])
    (key,) = entries(client)
    client.delete(key)
    client.set(f"{key}:lock", "of a worker that asks")
    now = 0.0

    def ask() -> None:
        nonlocal now
        now += 3.0

    source.answers = {"jdoe": Unavailable("1", "no answer within 3 s")}
    source.before = ask
    source.asked.clear()

    said = Cache(client, clock=lambda: now, sleep=lambda _: None).find(source, ["jdoe", "other"])

    assert [type(answer) for answer in said.values()] == [Unavailable, Unavailable]
    assert source.asked == [["jdoe"]]


# -- what was changed


def test_what_was_changed_is_forgotten_in_every_spelling(
    cache: Cache, client: "redis.Redis"
) -> None:
    source = Asked(stale_if_unavailable="1h")
    cache.find(source, ["jdoe", "JDOE", "ghost", "other"])

    cache.forget(source, ["JDoe", "Ghost"])
    kept = cache.kept(source, ["jdoe", "ghost", "other"])

    assert kept == {"other": Absent(cached=True)}
    assert list(client.scan_iter(f"{PREFIX}:*:stale")) == [], "no older answer stands in"


def test_an_answer_from_before_a_change_is_not_kept(cache: Cache, client: "redis.Redis") -> None:
    source = Asked(stale_if_unavailable="1h", timeout=2)
    source.before = lambda: cache.forget(source, ["jdoe"])

    assert isinstance(cache.find(source, ["jdoe", "ghost"])["jdoe"], Found)

    assert cache.kept(source, ["jdoe", "ghost"]) == {"ghost": Absent(cached=True)}
    left = {key.rpartition(":")[2]: client.pttl(key) for key in client.scan_iter()}
    assert 2000 < left["changed"] <= 3000, "as long as somebody may ask, and no longer"
    assert "stale" not in left


def test_once_the_change_is_past_answers_are_kept_again(
    cache: Cache, client: "redis.Redis"
) -> None:
    source = Asked()
    cache.forget(source, ["jdoe"])
    (mark,) = client.scan_iter("*:changed")
    client.delete(mark)  # it has expired

    cache.find(source, ["jdoe"])

    assert "jdoe" in cache.kept(source, ["jdoe"])


def test_a_directory_forgets_in_all_sources_that_are_kept(cache: Cache) -> None:
    one, two = Asked(slot="1"), Asked(slot="2", cache_ttl=0)
    one.answers = {}
    directory = Directory([one, two], cache=cache)
    directory.find(["jdoe"])

    directory.forget(["jdoe"])
    directory.find(["jdoe"])

    assert (one.asked, two.asked) == ([["jdoe"]] * 2, [["jdoe"]] * 2)
    Directory([one]).forget(["jdoe"])


def test_a_redis_that_is_away_says_so_to_who_changed_something(broker: RedisServer) -> None:
    with broker.client() as client:
        cache = Cache(client)
        broker.stop()
        try:
            with pytest.raises(redis.RedisError):
                cache.forget(Asked(), ["jdoe"])
        finally:
            broker.start()
