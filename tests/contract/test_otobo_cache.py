"""OTOBO's caches lose exactly what was written, wherever OTOBO keeps them (spec 3.6)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import servers
from worker.tickets.otobo_cache import (
    FileCache,
    NoCache,
    OtoboCache,
    OtoboCacheError,
    RedisCache,
    customer_types,
    customer_user_types,
    entries,
)

WRITTEN = {4711: (7, 8), 4712: (7,)}

DROPPED = {
    ("Ticket", "Cache::GetTicket4711"),
    ("Ticket", "Cache::GetTicket4712"),
    ("DynamicFieldValue", "ValueGet::ObjectID::4711"),
    ("DynamicFieldValue", "ValueGet::ObjectID::4712"),
    ("DynamicFieldValue", "ValueSearch::7"),
    ("DynamicFieldValue", "ValueSearch::8"),
    ("DynamicFieldValue", "HistoricalValueGet::FieldID::7::ValueType::value_text"),
    ("DynamicFieldValue", "HistoricalValueGet::FieldID::7::ValueType::value_date"),
    ("DynamicFieldValue", "HistoricalValueGet::FieldID::7::ValueType::value_int"),
    ("DynamicFieldValue", "HistoricalValueGet::FieldID::8::ValueType::value_text"),
    ("DynamicFieldValue", "HistoricalValueGet::FieldID::8::ValueType::value_date"),
    ("DynamicFieldValue", "HistoricalValueGet::FieldID::8::ValueType::value_int"),
}


def test_each_entry_of_what_was_written_is_named_once() -> None:
    named = list(entries(WRITTEN))

    assert set(named) == DROPPED
    assert len(named) == len(DROPPED)


def test_redis_loses_the_entries_and_nothing_else(broker: servers.RedisServer) -> None:
    client = broker.client()
    for type_, key in DROPPED:
        client.set(f"{type_}:{key}", "frozen")
    client.set("Ticket:Cache::GetTicket47", "another ticket")
    client.set("DynamicField:DynamicFieldList", "definitions")
    cache = RedisCache(broker.url)

    cache.drop_values({4711: (7,)})
    assert client.exists("Ticket:Cache::GetTicket4711", "DynamicFieldValue:ValueSearch::8") == 2
    assert not client.exists("DynamicFieldValue:ValueGet::ObjectID::4711")
    cache.drop(WRITTEN)

    assert set(client.keys()) == {"Ticket:Cache::GetTicket47", "DynamicField:DynamicFieldList"}
    cache.close()
    client.close()


def test_redis_is_asked_once_for_a_batch(broker: servers.RedisServer) -> None:
    cache = RedisCache(broker.url)
    cache.drop({})
    client = broker.client()
    client.config_resetstat()

    cache.drop(dict.fromkeys(range(100), (1, 2, 3)))

    assert client.info("commandstats")["cmdstat_unlink"]["calls"] == 1
    cache.close()
    client.close()


def test_a_redis_that_is_away_is_told_and_found_again(redis_server: servers.RedisServer) -> None:
    redis_server.start()
    redis_server.flush()
    cache = RedisCache(redis_server.url.replace("redis://", "redis://:secret@"))
    plain = RedisCache(redis_server.url)
    plain.drop(WRITTEN)
    redis_server.stop()
    try:
        with pytest.raises(OtoboCacheError) as caught:
            cache.drop(WRITTEN)
        with pytest.raises(OtoboCacheError):
            plain.drop(WRITTEN)
    finally:
        redis_server.start()

    assert "secret" not in str(caught.value)
    plain.drop(WRITTEN)
    plain.close()
    cache.close()


@pytest.mark.parametrize(
    ("levels", "path"),
    [
        # MD5 of Cache::GetTicket4711, by md5sum.
        (0, "Ticket/7e057cbf28e6750c9aa747398a24495b"),
        (1, "Ticket/7/7e057cbf28e6750c9aa747398a24495b"),
        (2, "Ticket/7/e/7e057cbf28e6750c9aa747398a24495b"),
    ],
)
def test_a_file_lies_where_otobo_puts_it(tmp_path: Path, levels: int, path: str) -> None:
    cache = FileCache(tmp_path, subdirectory_levels=levels)

    assert cache.path("Ticket", "Cache::GetTicket4711") == tmp_path / path


@pytest.mark.parametrize("levels", [0, 2, 3])
def test_files_of_the_entries_are_deleted_and_no_others(tmp_path: Path, levels: int) -> None:
    cache = FileCache(tmp_path, subdirectory_levels=levels)
    other = cache.path("Ticket", "Cache::GetTicket47")
    for file in (other, *(cache.path(type_, key) for type_, key in DROPPED)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"frozen")

    cache.drop(WRITTEN)
    cache.drop(WRITTEN)

    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [other]
    cache.close()


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(OtoboCacheError, match="does not exist"):
        FileCache(tmp_path / "nowhere").drop(WRITTEN)


def test_a_file_that_cannot_be_deleted_does_not_keep_the_others(tmp_path: Path) -> None:
    cache = FileCache(tmp_path)
    for type_, key in DROPPED:
        cache.path(type_, key).parent.mkdir(parents=True, exist_ok=True)
        cache.path(type_, key).write_bytes(b"frozen")
    stuck = cache.path("DynamicFieldValue", "ValueGet::ObjectID::4711")
    stuck.unlink()
    stuck.mkdir()

    with pytest.raises(OtoboCacheError, match="IsADirectoryError"):
        cache.drop(WRITTEN)

    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("make", [NoCache, lambda: FileCache(Path("/nowhere"))])
def test_nothing_written_drops_nothing(make: Callable[[], OtoboCache]) -> None:
    cache = make()

    cache.drop({})
    cache.close()


def test_no_cache_drops_nothing() -> None:
    NoCache().drop(WRITTEN)


KEPT = [
    ("CustomerUserOther", "CustomerUserDataGet::jdoe"),
    ("CustomerUser11", "CustomerUserDataGet::jdoe"),
    ("Ticket", "CustomerUser:Cache::GetTicket47"),
]
FORGOTTEN = [
    ("CustomerUser", "CustomerUserDataGet::jdoe"),
    ("CustomerUser10_CustomerSearch", "CustomerSearch::::Search=jane*:"),
    ("CustomerCompany1", "CustomerCompanyGet::acme"),
    ("CustomerGroup", "GroupMemberList::ro::UserID::jdoe"),
]
TYPES = customer_user_types() | customer_types()


def test_redis_forgets_what_it_knows_of_customer_users(broker: servers.RedisServer) -> None:
    client = broker.client()
    for type_, key in KEPT + FORGOTTEN:
        client.set(f"{type_}:{key}", "frozen")
    client.sadd("namespaces", "CustomerUser")
    for number in range(1500):
        client.set(f"CustomerUser:CustomerIDs::{number}", "frozen")
    cache = RedisCache(broker.url)

    cache.forget(TYPES)
    cache.forget(TYPES)

    assert set(client.keys()) == {"namespaces", *(":".join(entry) for entry in KEPT)}
    cache.close()
    client.close()


def test_files_about_customer_users_are_deleted_and_no_others(tmp_path: Path) -> None:
    cache = FileCache(tmp_path)
    for file in (cache.path(type_, key) for type_, key in KEPT + FORGOTTEN):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"frozen")

    cache.forget(TYPES)
    cache.forget(TYPES)

    left = {file for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {cache.path(*entry) for entry in KEPT}


def test_a_cache_that_cannot_forget_is_told(tmp_path: Path) -> None:
    with pytest.raises(OtoboCacheError, match="does not exist"):
        FileCache(tmp_path / "nowhere").forget(TYPES)
    with pytest.raises(OtoboCacheError, match="ConnectionError"):
        RedisCache("redis://127.0.0.1:1").forget(TYPES)
    NoCache().forget(TYPES)
    FileCache(tmp_path / "nowhere").forget([])
