"""Prometheus takes the files that come along, and the alerts are raised when they should be."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.deploy import prometheus
from tests.deploy.prometheus import ROOT

DEPLOY = ROOT / "examples/deploy"
ALERTS = DEPLOY / "alerts.yml"
(GROUP,) = yaml.safe_load(ALERTS.read_text())["groups"]
RULES = GROUP["rules"]

WELL = {
    "fieldfare_redis_up": "1x30",
    'fieldfare_processes{role="beat",queue="events"}': "1x30",
    'fieldfare_processes{role="beat",queue="resync"}': "1x30",  # a resync worker's own
    'fieldfare_processes{role="worker",queue="admin"}': "1x30",
    "fieldfare_writing_stopped": "0x30",
    "fieldfare_inbox_oldest_event_age_seconds": "299x30",
    'fieldfare_source_up{source="CustomerUser"}': "1x30",
    'fieldfare_parked_events_total{reason="failed"}': "7x30",
    "fieldfare_sweep_lag_seconds": "899x30",
    'fieldfare_waiting_events{source="CustomerUser"}': "0x30",
    'fieldfare_resync_jobs{state="asks"}': "0x30",
    "fieldfare_resync_idle_seconds": "1800x30",
}
"""What a worker serves for half an hour, a value each minute, when nothing is the matter."""

ILL: Mapping[str, tuple[str, str, int]] = {
    "FieldfareDown": ("fieldfare_redis_up", "_x30", 2),
    "FieldfareRedisAway": ("fieldfare_redis_up", "0x30", 2),
    "FieldfareNoScheduler": ('fieldfare_processes{role="beat",queue="events"}', "0x30", 2),
    "FieldfareWorkersGone": ('fieldfare_processes{role="worker",queue="admin"}', "1x2 stale", 8),
    "FieldfareWritingStopped": ("fieldfare_writing_stopped", "1x30", 0),
    "FieldfareInboxOld": ("fieldfare_inbox_oldest_event_age_seconds", "301x30", 5),
    "FieldfareSourceDown": ('fieldfare_source_up{source="CustomerUser"}', "0x30", 5),
    "FieldfareEventsWait": ('fieldfare_waiting_events{source="CustomerUser"}', "1x30", 10),
    "FieldfareResyncStopped": ('fieldfare_resync_jobs{state="asks"}', "1x30", 0),
    "FieldfareResyncStands": ("fieldfare_resync_idle_seconds", "1801x30", 5),
    "FieldfareDeadLetters": ('fieldfare_parked_events_total{reason="failed"}', "7 8x30", 1),
    "FieldfareSweepBehind": ("fieldfare_sweep_lag_seconds", "901x30", 5),
}
"""For each alert the series that tells of it, what it is like, and when the alert is raised."""


def test_prometheus_takes_its_configuration_with_the_rules() -> None:
    prometheus.checks("config", DEPLOY / "prometheus.yml")


def test_prometheus_understands_what_the_dashboard_asks(tmp_path: Path) -> None:
    panels = json.loads((ROOT / "docs/grafana-dashboard.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    told = [text.replace("$__rate_interval", "1m").replace("$job", ".*") for text in asked]
    assert told
    assert [text for text in told if "$" in text] == [], "a variable that Grafana does not have"
    rules = [{"record": f"asked:{number}", "expr": text} for number, text in enumerate(told)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    prometheus.checks("rules", file)


def test_alerts_are_raised_when_they_should_be(tmp_path: Path) -> None:
    assert {rule["alert"] for rule in RULES} == set(ILL)
    scenes = [scene({}, {10: []})]
    for alert, (series, values, minutes) in ILL.items():
        raised = {minutes - 1: [], minutes: [alert]} if minutes else {0: [alert]}
        scenes.append(scene({series: values}, raised))

    prometheus.plays(ALERTS, scenes, tmp_path)


def scene(ill: Mapping[str, str], raised: Mapping[int, list[str]]) -> dict[str, object]:
    """What is served, and the names of the alerts that are raised at some minutes."""
    return {
        "interval": "1m",
        "input_series": [
            {"series": name, "values": values} for name, values in {**WELL, **ill}.items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{minute}m",
                "exp_samples": [
                    {"labels": f'{{alertname="{name}"}}', "value": 1} for name in names
                ],
            }
            for minute, names in raised.items()
        ],
    }


@pytest.mark.parametrize(
    ("alert", "labels", "summary"),
    [
        ("FieldfareInboxOld", {}, "Events wait in the inbox for 5m 1s"),
        (
            "FieldfareSourceDown",
            {"source": "CustomerUser"},
            "The source CustomerUser does not answer",
        ),
        (
            "FieldfareWorkersGone",
            {"queue": "admin"},
            "No worker of the queue admin is alive, and one was within a day",
        ),
        (
            "FieldfareEventsWait",
            {"source": "CustomerUser"},
            "Events wait for CustomerUser, which does answer",
        ),
        ("FieldfareResyncStands", {}, "A resync has stood still for 30m 1s"),
        ("FieldfareDeadLetters", {"reason": "failed"}, "Events could not be handled (failed)"),
        ("FieldfareSweepBehind", {}, "The sweep of the ticket history is 15m 1s behind"),
    ],
)
def test_the_texts_of_alerts_are_filled_in(
    alert: str, labels: Mapping[str, str], summary: str, tmp_path: Path
) -> None:
    series, values, _ = ILL[alert]
    (description,) = [
        rule["annotations"]["description"] for rule in RULES if rule["alert"] == alert
    ]
    told = {
        "exp_labels": {"severity": "warning", **labels},
        "exp_annotations": {"summary": summary, "description": description},
    }
    raised = {"eval_time": "10m", "alertname": alert, "exp_alerts": [told]}

    prometheus.plays(
        ALERTS, [{**scene({series: values}, {}), "alert_rule_test": [raised]}], tmp_path
    )
