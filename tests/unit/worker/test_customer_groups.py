"""Effective permissions of a customer user, decided from what the tables say."""

from worker.tickets.customer_groups import (
    ALWAYS,
    COMPANY_ALWAYS,
    SUPPORT,
    GivenAccess,
    GroupSettings,
    effective,
    others,
)

GROUPS = {1: "users", 2: "stats", 3: "vip"}
SAME, OTHER = "Ticket::CustomerID::Same", "Ticket::CustomerID::Other"
NAMED = GroupSettings(support=True, always=("vip", "gone"), company_always=("users",))


def told(settings: GroupSettings, *customer_ids: str) -> list[tuple[str, bool, tuple[str, ...]]]:
    given = [GivenAccess("jdoe", 3, "ro"), GivenAccess("jdoe", 9, "rw")]
    found = effective(settings, GROUPS, given, [], customer_ids)
    assert all(one.ro for one in found)
    return [(one.group, one.rw, one.origins) for one in found]


def test_groups_of_everybody_are_added_if_they_are_valid() -> None:
    assert told(NAMED) == [("vip", True, ("login", ALWAYS))]


def test_groups_of_all_customers_are_for_those_who_belong_to_one() -> None:
    assert told(NAMED, "acme") == [
        ("users", True, (COMPANY_ALWAYS,)),
        ("vip", True, ("login", ALWAYS)),
    ]


def test_without_group_support_everybody_has_access_to_all_valid_groups() -> None:
    origin = (f"{SUPPORT} is off",)

    assert told(GroupSettings(), "acme") == [
        ("stats", True, origin),
        ("users", True, origin),
        ("vip", True, origin),
    ]


def test_without_group_support_no_group_leads_to_other_customers() -> None:
    leading = [GivenAccess("acme", 3, "rw", OTHER)]
    reachable = [GivenAccess("beta", 3, "ro", SAME)]

    assert others(GroupSettings(support=True), GROUPS, leading, reachable) == {"beta": ("vip",)}
    assert others(GroupSettings(), GROUPS, leading, reachable) == {}
    assert others(GroupSettings(support=True, other=""), GROUPS, leading, reachable) == {}
