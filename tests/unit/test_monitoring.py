"""The dashboard and the alert rules ask for metrics that exist, with labels that they have."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker import metrics, metrics_redis

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "docs/grafana-dashboard.json").read_text())
ALERTS = yaml.safe_load((ROOT / "examples/deploy/alerts.yml").read_text())
METRICS = (*metrics.COUNTED, *metrics_redis.READ)

ADDED = {"job", "instance"}
"""Labels that Prometheus adds to every series."""


def series() -> Mapping[str, set[str]]:
    """The labels of every series that is served, by its name."""
    served = {}
    for metric in METRICS:
        labels = {*metric.label_names} | ADDED
        if metric.kind == "histogram":
            served[f"{metric.name}_bucket"] = labels | {"le"}
            served[f"{metric.name}_sum"] = served[f"{metric.name}_count"] = labels
        else:
            served[metric.name] = labels
    return served


def targets() -> Iterator[Any]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")


def rules() -> Iterator[Any]:
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            yield pytest.param(rule["expr"], id=rule["alert"])


def asked(expression: str) -> set[str]:
    return set(re.findall(r"\bfieldfare_\w+", expression))


@pytest.mark.parametrize("expression", [*targets(), *rules()])
def test_what_is_asked_for_is_served(expression: str) -> None:
    served = series()
    named = asked(expression)
    assert named
    assert named - set(served) == set()
    allowed = set.intersection(*(served[name] for name in named))
    for name, matchers in re.findall(r"(fieldfare_\w+)\{([^}]*)\}", expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert labels - served[name] == set()
    for grouping in re.findall(r"\b(?:by|without) \(([^)]*)\)", expression):
        assert {label.strip() for label in grouping.split(",")} - allowed == set()


def test_labels_in_texts_are_those_of_the_metric() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            for grouping in re.findall(r"\bby \(([^)]*)\)", target["expr"]) if shown else ():
                assert shown == {label.strip() for label in grouping.split(",")}, panel["title"]


def test_every_metric_is_shown() -> None:
    shown = {name for param in targets() for name in asked(param.values[0])}
    without_suffix = {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in shown}
    assert {metric.name for metric in METRICS} - shown - without_suffix == set()


def test_rates_are_taken_of_counters_only() -> None:
    counters = {metric.name for metric in METRICS if metric.kind == "counter"}
    histograms = {name for name in series() if re.search(r"_(?:bucket|sum|count)$", name)}
    for param in [*targets(), *rules()]:
        for name in re.findall(r"(?:rate|increase)\((fieldfare_\w+)", param.values[0]):
            assert name in counters | histograms
        for name in asked(param.values[0]) & (counters | histograms):
            assert re.search(rf"(?:rate|increase)\({name}\b", param.values[0]), param.id


def test_the_dashboard_can_be_imported() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {
        "datasource",
        "job",
    }
    for panel in panels:
        place = panel["gridPos"]
        assert 0 <= place["x"] <= place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["description"]


def test_no_two_panels_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells


def test_every_alert_says_what_is_wrong_and_what_it_means() -> None:
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            assert set(rule["annotations"]) == {"summary", "description"}
            assert rule["labels"]["severity"] in {"warning", "critical"}


def test_names_are_as_prometheus_wants_them() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"fieldfare_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert bool(metric.buckets) == (metric.kind == "histogram")
