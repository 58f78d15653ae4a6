"""The report as one page that needs nothing else: no script, no other file, no network.

It holds numbers, and names of fields, queues and sources; no values, and nobody's name.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import cycle
from typing import TYPE_CHECKING, Any

from worker.handlers.report import MEANING, FieldReport, GroupReport, Report, State
from worker.reporting.words import WORDS, about, number, percent

if TYPE_CHECKING:
    from worker.reporting.charts import Chart

MONTHS = 36
"""Most months that are drawn."""

_SERIES = tuple(f"--s{number}" for number in range(1, 7))


class ReportNotInstalled(Exception):
    """A page is wanted, and what draws it is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "--html needs matplotlib and jinja2, which are not installed; "
            "pip install 'fieldfare[report]'"
        )


def require() -> None:
    """Make sure that a page can be made.

    Raises:
        ReportNotInstalled: it cannot.
    """
    if find_spec("matplotlib") is None or find_spec("jinja2") is None:
        raise ReportNotInstalled


def page(report: Report, *, asked: str, made: str) -> str:
    """The page, as HTML.

    Args:
        report: what it shows.
        asked: which tickets, in words; empty for all.
        made: when, in words.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an extra

    world = Environment(
        loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined
    )
    world.filters["number"] = number
    names = [one.group.month or "unknown" for one in report.groups]
    months = _rows(report.fields, report.groups, names)
    drawn = months[-MONTHS:]
    tickets = max(report.tickets, 1)
    of_state = {state: [one.states[state] for one in report.fields] for state in State}
    drawings = _drawings(report, drawn) if report.tickets and report.fields else {}
    return world.get_template("page.html").render(
        asked=asked,
        made=made,
        full=report.full,
        looked=report.looked,
        tickets=report.tickets,
        unavailable=sorted(report.unavailable.items()),
        filled=percent(sum(one.filled for one in report.fields), tickets * len(report.fields)),
        drift=_drift(report),
        states=[
            {
                "words": WORDS[state],
                "meaning": MEANING[state],
                "colour": _colour(state),
                "there": any(one.number for one in found),
                "numbers": [about(one, tickets) for one in found],
            }
            for state, found in of_state.items()
        ],
        fields=[_field(one, tickets) for one in report.fields],
        months=drawn,
        left_out=len(months) - len(drawn),
        queues=_queues(report),
        **drawings,
    )


def _drawings(report: Report, months: Sequence[Mapping[str, Any]]) -> "dict[str, Chart]":
    from worker.reporting import charts  # noqa: PLC0415 - an extra

    tickets = report.tickets
    of_state = {state: [one.states[state] for one in report.fields] for state in State}
    bars = charts.Bars(
        [one.name for one in report.fields],
        [
            (WORDS[state], _colour(state), [found.number / tickets for found in of_state[state]])
            for state in State
            if any(found.number for found in of_state[state])
        ],
    )
    lines = charts.Lines(
        [row["name"] for row in months],
        [
            (one.name, colour, [row["shares"][place]["raw"] for row in months])
            for place, (one, colour) in enumerate(zip(report.fields, cycle(_SERIES), strict=False))
        ],
    )
    return {
        "states_chart": charts.bars("states", "What stands in each field", bars),
        "months_chart": charts.lines("months", "Share of filled fields by month", lines),
    }


def _colour(state: State) -> str:
    return f"--{state.value.replace('_', '-')}"


def _drift(report: Report) -> str:
    whole = report.tickets * len(report.fields)
    return percent(sum(one.drift.number for one in report.fields), whole)


def _field(one: FieldReport, tickets: int) -> dict[str, Any]:
    return {
        "name": one.name,
        "filled": f"{number(one.filled)} ({percent(one.filled, tickets)})",
        "part": f"{one.filled / tickets:.3f}",
        "drift": about(one.drift, tickets),
    }


def _rows(
    fields: Sequence[FieldReport], groups: Sequence[GroupReport], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Filled shares of each field, by a name that each group has, in the order of the names."""
    tickets: Counter[str] = Counter()
    filled: Counter[tuple[str, str]] = Counter()
    for one, name in zip(groups, names, strict=True):
        if one.field == fields[0].name:  # each group is there once for each field
            tickets[name] += one.tickets
        filled[name, one.field] += one.filled
    return [
        {
            "name": name,
            "tickets": total,
            "shares": [_share(filled[name, one.name], total) for one in fields],
        }
        for name, total in sorted(tickets.items())
    ]


def _queues(report: Report) -> list[dict[str, Any]]:
    """The same by queue, open tickets and closed ones apart."""
    parts: dict[tuple[str, bool], list[GroupReport]] = defaultdict(list)
    for one in report.groups:
        parts[one.group.queue, not one.group.open].append(one)
    return [
        {**row, "open": "closed" if closed else "open"}
        for (queue, closed), groups in sorted(parts.items())
        for row in _rows(report.fields, groups, [queue] * len(groups))
    ]


def _share(part: int, whole: int) -> dict[str, Any]:
    raw = part / whole if whole else None
    return {"raw": raw, "part": f"{raw or 0:.3f}", "text": percent(part, whole)}
