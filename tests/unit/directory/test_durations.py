"""Durations in settings."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from directory.durations import Duration
from tests.contract.ldap_source import ldap_config
from tests.contract.sql_source import sql_config

DURATION: TypeAdapter[int] = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0),
        (90, 90),
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("24h", 86400),
        ("7d", 604800),
        (" 24 h ", 86400),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_has_a_unit(written: Any, seconds: int) -> None:
    assert DURATION.validate_python(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "h", "1 week", "-1s", "1.5h", "24H", "٣h", "24h\0", "1h30m"]
)
def test_what_is_no_duration_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ValidationError, match='right: "90s", "15m", "24h", "7d"'):
        DURATION.validate_python(written)


def test_a_source_has_none_unless_it_is_said() -> None:
    assert ldap_config().stale_if_unavailable == 0
    assert ldap_config(stale_if_unavailable="24h").stale_if_unavailable == 86400
    with pytest.raises(ValidationError, match="less than or equal to 7776000"):
        ldap_config(stale_if_unavailable="91d")


def test_a_source_in_the_ticket_database_has_none_at_all() -> None:
    with pytest.raises(ValidationError, match="for sources outside the ticket database"):
        sql_config(stale_if_unavailable="1h")
    assert sql_config(url="sqlite://", stale_if_unavailable="1h").stale_if_unavailable == 3600
