"""What the types of dynamic fields take."""

import pytest

from directory.field_types import MAX_TEXT, Definition, definition, problem

GOLD = {"gold": "Gold", "1": "1"}


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("Text", ()),
        ("Text", ("ä" * MAX_TEXT,)),
        ("Dropdown", ("gold",)),
        ("Multiselect", ("gold", "1")),
        ("Checkbox", ("0",)),
        ("Date", ("2024-02-29",)),
        ("Date", ("2024-02-29 00:00:00",)),
        ("DateTime", ("2024-02-29 13:14:15",)),
        ("CustomerCompany", ("acme",)),
    ],
)
def test_what_a_type_takes(kind: str, texts: tuple[str, ...]) -> None:
    found = Definition(1, kind, several=kind == "Multiselect", choices=GOLD)

    assert problem(found, "Field", texts) is None


@pytest.mark.parametrize(
    ("kind", "texts", "error", "says"),
    [
        ("Text", ("a", "b"), "wrong_arguments", "one value"),
        ("TextArea", ("x" * (MAX_TEXT + 1),), "too_long", "holds 3800 characters"),
        ("Dropdown", ("Gold",), "not_a_choice", "is one of gold (Gold), 1"),
        ("Checkbox", ("yes",), "not_a_choice", "takes 1 or 0"),
        ("Date", ("2024-02-30",), "not_a_date", "a date like 2026-01-31"),
        ("Date", ("2024-02-29 13:14:15",), "not_a_date", "a date like"),
        ("DateTime", ("2024-02-29",), "not_a_date", "2026-01-31 14:30:00"),
        ("DateTime", ("2024-02-29T13:14:15",), "not_a_date", "date and time"),
        ("Lens", ("x",), "read_only_field", "type Lens"),
    ],
)
def test_what_a_type_does_not_take(
    kind: str, texts: tuple[str, ...], error: str, says: str
) -> None:
    told = problem(Definition(1, kind, choices=GOLD), "Field", texts)

    assert told is not None
    assert told[0] == error
    assert says in told[1]


def test_a_field_that_is_not_there_is_named() -> None:
    told = problem(None, "Level", ("x",))

    assert told is not None
    assert told[0] == "unknown_field"
    assert "the dynamic field Level" in told[1]


@pytest.mark.parametrize("config", [None, "", "PossibleValues:\n", "PossibleValues: {a", "- a\n"])
def test_a_dropdown_without_choices_takes_nothing(config: str | None) -> None:
    found = definition(1, "Dropdown", config)

    assert not found.several
    told = problem(found, "Level", ("x",))
    assert told == ("not_a_choice", "is one of nothing: it has no choices")


def test_a_config_is_read_as_texts() -> None:
    found = definition(7, "Dropdown", "MultiValue: 1\nPossibleValues:\n  1: no\n  yes: 2.50\n")

    assert found == Definition(7, "Dropdown", several=True, choices={"1": "no", "yes": "2.50"})
    assert found.indexed
    assert not definition(7, "Multiselect", "").indexed
