"""What passes the doorkeeper of a queue: calls, without what could harm a worker."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forgeries import BAD_CALLS, DRAIN, MARKER, NO_CALLS, body, call, changed
from worker.transport import MAX_BYTES, NoCall, admitted

MESSAGES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)


def taken(message: Any, queue: str = "events") -> Any:
    return json.loads(admitted(json.dumps(message), queue))


@pytest.mark.parametrize("raw", NO_CALLS.values(), ids=NO_CALLS)
def test_what_is_no_call_is_refused_and_never_repeated(raw: bytes) -> None:
    with pytest.raises(NoCall) as caught:
        admitted(raw, "events")

    assert MARKER not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_call_passes_with_all_that_it_needs() -> None:
    expires = {"expires": "2999-01-01T00:00:00+00:00"}
    sent = changed(call("ticket.created", [4711], {"screen": "X"}), headers=expires)

    message = taken(changed(sent, properties={"reply_to": "me"}))

    assert json.loads(base64.b64decode(message["body"])) == [[4711], {"screen": "X"}, {}]
    assert message["headers"] == {
        "lang": "py",
        "task": "ticket.created",
        "id": f"id-{MARKER}",
        "root_id": f"id-{MARKER}",
        "expires": "2999-01-01T00:00:00+00:00",
        "ignore_result": False,
    }
    assert message["properties"]["reply_to"] == "me"
    assert message["properties"]["correlation_id"] == f"id-{MARKER}"


def test_a_body_may_also_come_as_plain_text() -> None:
    plain = changed(DRAIN, body="[[], {}, null]", properties={"body_encoding": None})

    assert taken(plain)["body"] == base64.b64encode(b"[[], {}, {}]").decode()


def test_nothing_is_called_after_a_call() -> None:
    then = {"task": "customer_user.get", "args": [MARKER]}
    sent = changed(DRAIN, body=body([[], {}, {"callbacks": [then], "chain": [then]}]))

    assert taken(sent)["body"] == base64.b64encode(b"[[], {}, {}]").decode()


@pytest.mark.parametrize("sent", BAD_CALLS.values(), ids=BAD_CALLS)
def test_a_call_comes_back_to_its_own_queue_under_a_tag_of_its_own(sent: Any) -> None:
    first, second = taken(sent, "admin"), taken(sent, "admin")

    for message in (first, second):
        info = message["properties"]["delivery_info"]
        assert info == {"exchange": "", "routing_key": "admin", "redelivered": False}
        assert {"eta", "timelimit", "compression", "stamps"}.isdisjoint(message["headers"])
        assert all(isinstance(part, str | bool) for part in message["headers"].values())
    tags = {message["properties"]["delivery_tag"] for message in (first, second)}
    assert len(tags) == 2
    assert MARKER not in "".join(tags)


def test_that_a_call_was_delivered_before_is_known_afterwards() -> None:
    again = taken(changed(DRAIN, properties={"delivery_info": {"redelivered": True}}))

    assert again["headers"]["redelivered"] is True
    assert again["properties"]["delivery_info"]["redelivered"] is True
    assert taken(again)["headers"] == again["headers"]


def test_the_largest_call_passes_and_one_byte_more_does_not() -> None:
    message = json.dumps(DRAIN)
    largest = message + " " * (MAX_BYTES - len(message))

    assert json.loads(admitted(largest, "events"))["headers"]["task"] == "inbox.drain"
    with pytest.raises(NoCall, match="more than 1048576 bytes"):
        admitted(largest + " ", "events")


@given(part=MESSAGES, name=st.sampled_from(sorted(DRAIN)))
def test_whatever_stands_in_a_part_is_admitted_or_refused(part: Any, name: str) -> None:
    try:
        message = taken({**DRAIN, name: part})
    except NoCall:
        return
    assert message["headers"]["task"] == (
        part["task"] if name == "headers" else DRAIN["headers"]["task"]
    )
