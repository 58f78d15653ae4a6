"""What is a figure, how is it kept, and how is it shown?"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure must reach.

    Attributes:
        least: the ratio must be this or more.
        most: the ratio, or the value where there is no ratio, must be this or less.
    """

    least: float | None = None
    most: float | None = None
    of: str = "ratio"

    def __str__(self) -> str:
        return f"{self.of} >= {self.least:g}" if self.least else f"{self.of} <= {self.most:g}"


BEGIN = "<!-- Written by `make bench`. -->\n"
END = "\n<!-- End of what `make bench` writes. -->"

GOALS = {
    "enrich_changing_sql": Goal(least=6),
    "enrich_changing_ldap": Goal(least=3.5),
    "enrich_unchanged": Goal(least=10),
    "enrich_sqlite": Goal(least=4),
    "single_event_latency": Goal(most=25, of="value"),
    "single_event_statements": Goal(most=10, of="value"),
    "batch_statements": Goal(most=25, of="value"),
    "batch_searches": Goal(most=1, of="value"),
    "worker_memory_growth": Goal(most=0.10, of="value"),
    "cost_growth": Goal(most=1.3),
    "idle_cost": Goal(most=60, of="value"),
    "resync_sql": Goal(least=0.5),
    "resync_ldap": Goal(least=0.5),
    "resync_unchanged": Goal(least=5),
    "resync_live_latency": Goal(most=2),
    "resync_memory_growth": Goal(most=0.10, of="value"),
    "admin_search_sql": Goal(most=3),
    "admin_search_ldap": Goal(most=3),
    "admin_list": Goal(most=3),
    "admin_import": Goal(most=3),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure, and the reference that was taken in the same run.

    Attributes:
        value: in ``unit``; a median where it was taken several times.
        reference: what it is compared with; empty where there is nothing to compare with.
        ratio: ``value`` over ``reference_value``.
    """

    name: str
    value: float
    unit: str
    reference: str = ""
    reference_value: float | None = None
    ratio: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether it is as good as it must be; None where nothing is asked."""
        goal = GOALS.get(self.name)
        if goal is None:
            return None
        measured = self.ratio if goal.of == "ratio" else self.value
        if measured is None:
            return False
        return (goal.least is None or measured >= goal.least) and (
            goal.most is None or measured <= goal.most
        )


def beside(name: str, values: Sequence[float], unit: str, reference: Figure) -> Figure:
    """The median of some values, beside a reference of the same run."""
    value = statistics.median(values)
    return Figure(
        name, value, unit, reference.name, reference.value, round(value / reference.value, 3)
    )


def write(path: Path, figures: Sequence[Figure]) -> None:
    """One line of JSON for each figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(asdict(figure)) + "\n" for figure in figures))


def read(path: Path) -> list[Figure]:
    """The figures of an earlier run."""
    return [Figure(**json.loads(line)) for line in path.read_text().splitlines()]


def merged(earlier: Sequence[Figure], later: Sequence[Figure]) -> list[Figure]:
    """The figures of an earlier run, those of a later one in their place or behind them."""
    newest = {figure.name: figure for figure in (*earlier, *later)}
    return list(newest.values())


def markdown(figures: Sequence[Figure]) -> str:
    """The table of docs/performance.md."""
    lines = [
        "| figure | value | unit | beside | ratio | to reach | reached |",
        "|---|---:|---|---|---:|---|---|",
    ]
    for figure in figures:
        reference = (
            ""
            if figure.reference_value is None
            else f"`{figure.reference}`: {_short(figure.reference_value)}"
        )
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        reached = {True: "yes", False: "**no**", None: ""}[figure.reached]
        lines.append(
            f"| `{figure.name}` | {_short(figure.value)} | {figure.unit} | {reference} | {ratio} "
            f"| {GOALS.get(figure.name, '')} | {reached} |"
        )
    return "\n".join(lines) + "\n"


def put_into(page: str, table: str) -> str:
    """The page with its table between the marks replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}{END}{after}"


def show(figures: Sequence[Figure]) -> None:
    """A table for people."""
    table = Table(box=None, pad_edge=False)
    for title in ("figure", "value", "unit", "beside", "", "ratio", "to reach", ""):
        table.add_column(title, justify="left" if title in {"figure", "unit"} else "right")
    for figure in figures:
        goal = GOALS.get(figure.name)
        table.add_row(
            figure.name,
            _short(figure.value),
            figure.unit,
            figure.reference,
            "" if figure.reference_value is None else _short(figure.reference_value),
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            str(goal or ""),
            {True: "yes", False: "NO", None: ""}[figure.reached],
        )
    Console(width=120).print(table)


def _short(value: float) -> str:
    whole = 100
    return f"{value:,.0f}" if value >= whole else f"{value:.3g}"
