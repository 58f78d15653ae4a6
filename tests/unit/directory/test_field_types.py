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


def asking(*patterns: str, kind: str = "Text") -> Definition:
    listed = "".join(f"- Value: '{one}'\n  ErrorMessage: Digits only.\n" for one in patterns)
    return definition(7, kind, f"---\nMultiValue: 1\nRegExList:\n{listed}")


@pytest.mark.parametrize(
    ("pattern", "fits", "misfit"),
    [
        (r"^\d+$", "12\n", "1a"),
        (r"^\d+\z", "12", "12\n"),
        (r"\A\d+\Z", "12\n", "12\n\n"),
        (r"b", "abc", "ac"),
        (r"(?i)^[:/]X$", "/x", "x"),
        (r"^\\z", r"\z", "z"),
    ],
)
def test_a_text_must_fit_the_patterns_as_perl_reads_them(
    pattern: str, fits: str, misfit: str
) -> None:
    found = asking(".", pattern)

    assert problem(found, "Room", (fits, "")) is None
    told = problem(found, "Room", (fits, misfit))
    assert told == ("no_match", f"must fit the pattern {pattern} (Digits only.)")
    assert problem(found, "Room", ()) is None


@pytest.mark.parametrize("pattern", [r"^\p{L}+$", r"^[[:alpha:]]+$", r"^\h", r"\v", "(", "[a--b]"])
def test_a_pattern_that_only_perl_can_read_lets_nothing_pass(pattern: str) -> None:
    told = problem(asking(pattern), "Room", ("a",))

    assert told is not None
    assert told[0] == "no_match"
    assert "which only Perl can read" in told[1]
    assert problem(asking(pattern), "Room", ("",)) is None


@pytest.mark.parametrize(
    "config", ["RegExList: []", "RegExList: ''", "RegExList:\n- x\n- Value: ''"]
)
def test_who_asks_for_nothing_takes_all(config: str) -> None:
    assert problem(definition(7, "TextArea", config), "Room", ("a",)) is None
    assert problem(asking("b", kind="RichText"), "Room", ("a",)) is None
