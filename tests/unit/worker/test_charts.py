"""Charts that stand in a page, and in it alone."""

import re
from xml.etree import ElementTree as ET

import pytest

from worker.reporting.charts import Bars, Chart, Lines, bars, lines

HOSTILE = '</text><script>alert(1)</script> $x^2$ & "'


@pytest.fixture(params=["bars", "lines"])
def chart(request: pytest.FixtureRequest) -> Chart:
    if request.param == "bars":
        data = Bars(["Phone", HOSTILE], [(HOSTILE, "--same", [0.5, 1.0])])
        return bars("states", HOSTILE, data)
    series = Lines(["2026-01", "2026-02", "2026-03"], [(HOSTILE, "--s1", [0.5, None, 1.0])])
    return lines("months", HOSTILE, series)


def test_a_chart_is_sound_and_holds_its_texts_as_texts(chart: Chart) -> None:
    for svg in (chart.wide, chart.narrow):
        root = ET.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-label") == HOSTILE
        assert "script" not in {one.tag.rpartition("}")[2] for one in root.iter()}
    texts = {one.text for one in ET.fromstring(chart.wide).iter() if one.text}
    assert any("$x^2$" in text for text in texts)


def test_a_chart_has_the_colours_of_the_page_and_its_width(chart: Chart) -> None:
    for svg in (chart.wide, chart.narrow):
        assert not re.search(r"#[0-9a-f]{6}", svg)
        assert "var(--ink)" in svg
        assert re.search(r"var\(--(same|s1)\)", svg)
        assert not {"width", "height", "style"} & set(ET.fromstring(svg).attrib)
        assert not re.search(r"https?://(?!www\.w3\.org/(2000/svg|1999/xlink))", svg)


def test_no_two_charts_of_a_page_share_a_name() -> None:
    data = Bars(["Phone"], [("same", "--same", [0.5])])
    found = [bars(name, "", data) for name in ("first", "second")]
    names = [re.findall(r' id="([^"]*)"', svg) for one in found for svg in (one.wide, one.narrow)]

    together = [name for part in names for name in part]
    assert together
    assert len(together) == len(set(together))
