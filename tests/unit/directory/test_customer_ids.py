"""Which customers a customer user belongs to, in OTOBO's order."""

from collections.abc import Mapping
from typing import Any

import pytest

from directory.config import SqlSourceConfig
from directory.customer_ids import customer_ids, split


def config(**more: Any) -> SqlSourceConfig:
    settings = {"table": "t", "customer_key": "login", "customer_id": "customer_id", "map": {}}
    return SqlSourceConfig.model_validate({**settings, **more})


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a1; a2 ;a3", ["a1", "a2", "a3"]),
        ("b1,b2; b3", ["b1,b2", "b3"]),
        ("c1, c2", ["c1", "c2"]),
        ("c1|c2", ["c1", "c2"]),
        ("d1", ["d1"]),
        (" d1 ", ["d1"]),
        (";;x", ["", "", "x"]),
        ("x;;", ["x"]),
        ("", []),
    ],
)
def test_ids_are_split_at_the_first_kind_of_separator_that_occurs(
    text: str, ids: list[str]
) -> None:
    assert split(text) == ids


@pytest.mark.parametrize(
    ("attributes", "assigned", "ids"),
    [
        ({"UserCustomerID": "acme"}, [], ("acme",)),
        ({"UserCustomerID": "acme", "UserCustomerIDs": "x;y"}, [], ("x", "y", "acme")),
        ({"UserCustomerID": "acme", "UserCustomerIDs": "acme"}, [], ("acme", "acme")),
        ({"UserCustomerID": "acme"}, ["acme", "zeta"], ("acme", "zeta")),
        ({"UserCustomerIDs": ("x;y", "z")}, [], ("x", "y")),
        ({"UserCustomerID": b"\xff"}, [], ()),
    ],
)
def test_the_primary_id_comes_behind_further_ids_and_before_assigned_ones(
    attributes: Mapping[str, Any], assigned: list[str], ids: tuple[str, ...]
) -> None:
    assert customer_ids(config(), attributes, assigned) == ids


def test_the_primary_id_can_be_left_out() -> None:
    attributes = {"UserCustomerID": "acme", "UserCustomerIDs": "x"}
    without = config(customer_user_exclude_primary_customer_id=True)

    assert customer_ids(without, attributes, ["acme"]) == ("x", "acme")


def test_a_login_that_no_source_knows_can_still_be_assigned() -> None:
    assert customer_ids(None, {}, ["rel"]) == ("rel",)
