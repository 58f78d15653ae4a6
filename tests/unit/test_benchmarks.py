"""The benchmarks say what was measured, and the page about them says the same."""

from pathlib import Path

import pytest

from benchmarks.__main__ import kept
from benchmarks.figures import (
    BEGIN,
    END,
    GOALS,
    Figure,
    beside,
    markdown,
    merged,
    put_into,
    read,
    write,
)

ROOT = Path(__file__).parents[2]
NOOP = Figure("celery_noop", 700.0, "1/s")


def test_a_ratio_is_the_median_over_its_reference() -> None:
    figure = beside("enrich_changing_sql", [4000.0, 4900.0, 100.0], "1/s", NOOP)

    assert (figure.value, figure.reference, figure.reference_value) == (4000, "celery_noop", 700)
    assert figure.ratio == pytest.approx(5.714)


@pytest.mark.parametrize(
    ("figure", "reached"),
    [
        (Figure("enrich_changing_sql", 4900, "1/s", "celery_noop", 700, 7.0), True),
        (Figure("enrich_changing_sql", 4100, "1/s", "celery_noop", 700, 5.9), False),
        (Figure("enrich_changing_sql", 4100, "1/s"), False),
        (Figure("single_event_latency", 24.9, "ms"), True),
        (Figure("single_event_latency", 25.1, "ms"), False),
        (Figure("cost_growth", 1.2, "ms", "small", 1.0, 1.2), True),
        (Figure("cost_growth", 1.4, "ms", "small", 1.0, 1.4), False),
        (NOOP, None),
    ],
)
def test_a_figure_is_held_against_what_it_must_reach(figure: Figure, reached: bool | None) -> None:
    assert figure.reached is reached


def test_figures_are_written_one_a_line_and_read_again(tmp_path: Path) -> None:
    figures = [NOOP, beside("enrich_unchanged", [7000.0], "1/s", NOOP)]

    write(tmp_path / "results" / "latest.jsonl", figures)

    assert len((tmp_path / "results" / "latest.jsonl").read_text().splitlines()) == 2
    assert read(tmp_path / "results" / "latest.jsonl") == figures


def test_what_is_measured_alone_leaves_the_other_figures_as_they_are() -> None:
    earlier = [NOOP, Figure("idle_cost", 70.0, "CPU seconds per hour")]
    again, new = Figure("idle_cost", 60.0, "CPU seconds per hour"), Figure("admin_list", 9.0, "ms")

    assert merged(earlier, [again, new]) == [NOOP, again, new]


def test_a_full_run_keeps_what_is_measured_by_itself_alone() -> None:
    long = Figure("resync_memory_growth", 0.05, "of the memory after the first")

    assert kept([NOOP, long]) == [long]


def test_only_the_table_of_the_page_is_replaced() -> None:
    page = f"above\n{BEGIN}old\n{END}\nbelow\n"

    assert put_into(page, "new\n") == f"above\n{BEGIN}\nnew\n{END}\nbelow\n"
    assert put_into(put_into(page, "new\n"), "new\n") == put_into(page, "new\n")


def test_the_page_has_the_figures_of_the_latest_run() -> None:
    figures = read(ROOT / "benchmarks" / "results" / "latest.jsonl")
    page = (ROOT / "docs" / "performance.md").read_text()

    assert {figure.name for figure in figures} >= GOALS.keys()
    assert page == put_into(page, markdown(figures))
