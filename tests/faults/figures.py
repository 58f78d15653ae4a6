"""How is what was measured told and kept? Each figure is printed, and a line of JSON.

    figures.note("lost", report["lost"], "tickets", must_be="0", held=report["lost"] == 0)

The lines stand in ``fault_1.jsonl`` and so on in the folder of ``--fault-results``: for
``make faults`` that is ``tests/faults/results``, for the short form a temporary one. pytest prints
all figures at the end of the run, whichever process measured them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PROPERTY = "fault figure"
"""Under this name a figure travels with pytest's report of the test."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        fault: which of the faults, 1 to 7; 8 for resync workers that are killed.
        must_be: what it must be, for people; empty where it is only reported.
        held: whether it is as it must be; None where it is only reported.
        form: ``short`` or ``long``.
    """

    fault: int
    name: str
    value: float
    unit: str
    must_be: str = ""
    held: bool | None = None
    form: str = "short"

    def __str__(self) -> str:
        verdict = {True: "held", False: "NOT HELD", None: ""}[self.held]
        must = f"must be {self.must_be}: " if self.must_be else ""
        return f"{self.fault}  {self.name:<40} {self.value:>12,.6g} {self.unit:<10} {must}{verdict}"


class Figures:
    """The figures of one test."""

    def __init__(
        self, fault: int, form: str, file: Path, tell: Callable[[str, object], None]
    ) -> None:
        self._fault = fault
        self._form = form
        self._file = file
        self._tell = tell

    def note(
        self, name: str, value: float, unit: str, must_be: str = "", *, held: bool | None = None
    ) -> None:
        """Keep a figure. What must be is still for the test to assert."""
        figure = Figure(self._fault, name, value, unit, must_be, held, self._form)
        self._tell(PROPERTY, str(figure))
        with self._file.open("a") as file:
            file.write(json.dumps(asdict(figure)) + "\n")

    def zero(self, name: str, value: float, unit: str) -> None:
        """Keep a figure that must be 0."""
        self.note(name, value, unit, "0", held=value == 0)


def read(file: Path) -> Sequence[Figure]:
    """The figures that a file holds."""
    return [Figure(**json.loads(line)) for line in file.read_text().splitlines()]
