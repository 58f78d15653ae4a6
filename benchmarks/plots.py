"""How do the figures look? Two pictures for docs/performance.md."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure as Chart

from benchmarks.figures import GOALS, Figure

RATES = (
    "enrich_changing_sql",
    "enrich_changing_ldap",
    "enrich_sqlite",
    "enrich_unchanged",
    "enrich_first_fill",
)


def draw(folder: Path, figures: Sequence[Figure], samples: Mapping[str, Sequence[float]]) -> None:
    """Write rates.svg and latency.svg, of what was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    # Names of elements that are the same in every run, so that a change is a change of figures.
    plt.rcParams["svg.hashsalt"] = "fieldfare"
    if any(figure.name in RATES for figure in figures):
        _rates(folder / "rates.svg", figures)
    if "single_event_latency" in samples:
        _latency(folder / "latency.svg", samples["single_event_latency"])


def _rates(path: Path, figures: Sequence[Figure]) -> None:
    shown = [figure for name in RATES for figure in figures if figure.name == name]
    chart, axes = plt.subplots(figsize=(7, 2.8))
    names = [figure.name for figure in shown]
    axes.barh(names, [figure.ratio or 0 for figure in shown], color="#4a6fa5")
    for place, figure in enumerate(shown):
        goal = GOALS.get(figure.name)
        if goal is not None and goal.least is not None:
            axes.plot([goal.least] * 2, [place - 0.4, place + 0.4], color="black")
    axes.invert_yaxis()
    axes.set_xlabel("times the rate of an empty Celery task (line: to reach)")
    _save(chart, path)


def _latency(path: Path, milliseconds: Sequence[float]) -> None:
    chart, axes = plt.subplots(figsize=(7, 2.4))
    axes.hist(milliseconds, bins=40, color="#4a6fa5")
    axes.axvline(statistics.median(milliseconds), color="black")
    axes.set_xlabel("milliseconds from publish to commit (line: median)")
    _save(chart, path)


def _save(chart: Chart, path: Path) -> None:
    chart.tight_layout()
    chart.savefig(path, metadata={"Date": None})
    plt.close(chart)
