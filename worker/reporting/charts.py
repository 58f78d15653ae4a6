"""The charts of the page, drawn by matplotlib as SVG that stands in the page itself.

Colours are names of the page's own (``var(--…)``), so that one drawing serves light and dark.
Texts stay texts. Each chart is drawn twice, wide and narrow: a drawing made for a wide page could
not be read on a telephone. Nothing in it is loaded from anywhere, and nothing is a script.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

_STYLE: Any = {  # its type is a list of all that matplotlib knows
    "svg.fonttype": "none",
    "text.parse_math": False,  # a queue may be called "5 $ and 10 $"
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}

_WIDE, _NARROW = 8.6, 3.7
"""Inches; a point of text is a sixth larger on the page than in print."""

_INKS: Mapping[str, str] = {"#010101": "--ink", "#020202": "--line"}
"""Colours that matplotlib draws with, and what stands for them in the page."""

INK, LINE = _INKS

_COLOUR = "#{:06x}"
_FIRST = 0x030303

_DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart in both widths.

    Attributes:
        wide: an SVG element.
        narrow: the same for narrow pages.
    """

    wide: str
    narrow: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars, each put together from parts.

    Attributes:
        labels: of the bars, from the top.
        parts: label, colour (the name of a variable of the page) and a share for each bar.
    """

    labels: Sequence[str]
    parts: Sequence[tuple[str, str, Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines over months.

    Attributes:
        months: in order.
        lines: label, colour, and a share for each month; None where there is none.
    """

    months: Sequence[str]
    lines: Sequence[tuple[str, str, Sequence[float | None]]]


def bars(name: str, about: str, data: Bars) -> Chart:
    """A chart of bars; ``name`` tells it from the others of the page, ``about`` says what it is."""

    def draw(figure: Figure, colour: Callable[[str], str], *, narrow: bool) -> None:
        axes = figure.subplots()
        places = range(len(data.labels))
        begun = [0.0] * len(data.labels)
        for label, variable, shares in data.parts:
            axes.barh(places, shares, left=begun, height=0.62, color=colour(variable), label=label)
            begun = [left + share for left, share in zip(begun, shares, strict=True)]
        axes.set_yticks(places, [_short(label, 18 if narrow else 40) for label in data.labels])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        _finish(figure, axes, columns=1 if narrow else 2)

    lines = len(data.labels)
    heights = (
        0.9 + 0.32 * lines + 0.1 * len(data.parts),
        0.9 + 0.36 * lines + 0.2 * len(data.parts),
    )
    return _chart(name, about, draw, heights)


def lines(name: str, about: str, data: Lines) -> Chart:
    """A chart of lines over months."""

    def draw(figure: Figure, colour: Callable[[str], str], *, narrow: bool) -> None:
        axes = figure.subplots()
        places = list(range(len(data.months)))
        for number, (label, variable, shares) in enumerate(data.lines):
            known = [float("nan") if share is None else share for share in shares]
            axes.plot(
                places,
                known,
                color=colour(variable),
                linestyle=_DASHES[number // 6 % len(_DASHES)],
                marker="o",
                markersize=3,
                label=_short(label, 34 if narrow else 60),
                clip_on=False,
            )
        step = max(1, -(-len(places) // (4 if narrow else 12)))
        axes.set_xticks(places[::step], list(data.months[::step]))
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        _finish(figure, axes, columns=1 if narrow else 3)

    rows = len(data.lines)
    return _chart(name, about, draw, (2.6 + 0.07 * rows, 2.4 + 0.2 * rows))


def _finish(figure: Figure, axes: Any, *, columns: int) -> None:
    axes.tick_params(color=LINE, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_color(LINE)
    axes.grid(visible=True, axis="both", color=LINE, linewidth=0.4)
    axes.set_axisbelow(True)
    figure.legend(
        loc="outside lower left",
        ncols=columns,
        frameon=False,
        labelcolor=INK,
        handlelength=1.6,
        borderaxespad=0,
    )


def _chart(
    name: str,
    about: str,
    draw: Callable[..., None],
    heights: tuple[float, float],
) -> Chart:
    wide, narrow = (
        _svg(f"{name}-{width}", about, draw, (width, height), narrow=width == _NARROW)
        for width, height in zip((_WIDE, _NARROW), heights, strict=True)
    )
    return Chart(wide, narrow)


def _svg(
    name: str,
    about: str,
    draw: Callable[..., None],
    size: tuple[float, float],
    *,
    narrow: bool,
) -> str:
    """An SVG element for a page: no prolog, ids that no other chart has, the page's colours."""
    names: dict[str, str] = {}

    def colour(variable: str) -> str:
        """A colour to draw with that stands for one of the page's."""
        if variable not in names:
            names[variable] = _COLOUR.format(_FIRST + len(names))
        return names[variable]

    style = {**_STYLE, "svg.hashsalt": name}
    with rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        draw(figure, colour, narrow=narrow)
        for axes in figure.axes:
            axes.patch.set_alpha(0)
        drawn = StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(drawn, format="svg", metadata=nothing)
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Sized by the page: only the proportions are the drawing's.
    svg = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{_attribute(about)}" ', 1)
    for made, variable in {**_INKS, **{made: name for name, made in names.items()}}.items():
        svg = svg.replace(made, f"var({variable})")
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    svg = re.sub(r"<style\b.*?</style>", "", svg, flags=re.DOTALL)  # it would style the whole page
    # What is referred to has a name made of the chart's; the others all drawings have alike.
    return re.sub(r' id="(?![mp][0-9a-f]{10}")[^"]*"', "", svg)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
