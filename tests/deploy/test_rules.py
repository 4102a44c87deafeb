"""The alerts, by Prometheus' own tool: each fires on its series, and none on a healthy service."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Render
from support.processes import succeed
from support.texts import documents
from support.tools import need
from support.variants import Variant

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("manifests")]

JOB = 'job="tabular-inference", namespace="ml"'
MINUTES = 40
Series = dict[str, str]

# Two pods that answer, and what they count in a minute.
HEALTHY: Series = {
    f'up{{{JOB}, pod="a"}}': f"1x{MINUTES}",
    f'up{{{JOB}, pod="b"}}': f"1x{MINUTES}",
    f'http_requests_total{{{JOB}, route="/predict", status="200"}}': f"0+600x{MINUTES}",
    f'http_requests_total{{{JOB}, route="/predict", status="500"}}': f"0+0x{MINUTES}",
    f'http_request_duration_seconds_bucket{{{JOB}, route="/predict", le="0.1"}}': (
        f"0+600x{MINUTES}"
    ),
    f'http_request_duration_seconds_bucket{{{JOB}, route="/predict", le="1"}}': f"0+600x{MINUTES}",
    f'http_request_duration_seconds_bucket{{{JOB}, route="/predict", le="+Inf"}}': (
        f"0+600x{MINUTES}"
    ),
    f'model_refused_total{{{JOB}, model="price", reason="queue_full"}}': f"5+0x{MINUTES}",
    f'model_refused_total{{{JOB}, model="price", reason="nan"}}': f"5+0x{MINUTES}",
    f'model_info{{{JOB}, pod="a", model="price", digest="sha256:1"}}': f"1x{MINUTES}",
    f'model_info{{{JOB}, pod="b", model="price", digest="sha256:1"}}': f"1x{MINUTES}",
    f'model_feature_drift{{{JOB}, pod="a", model="price", feature="rooms"}}': f"0.1x{MINUTES}",
}
# What is otherwise when something is wrong: series by name, None where they are gone.
WRONG: dict[str, dict[str, str | None]] = {
    "InferenceServiceDown": {
        f'up{{{JOB}, pod="a"}}': f"0x{MINUTES}",
        f'up{{{JOB}, pod="b"}}': f"0x{MINUTES}",
    },
    "InferenceErrors": {
        f'http_requests_total{{{JOB}, route="/predict", status="500"}}': f"0+12x{MINUTES}",
    },
    "InferenceSlow": {
        f'http_request_duration_seconds_bucket{{{JOB}, route="/predict", le="0.1"}}': (
            f"0+580x{MINUTES}"
        ),
    },
    "InferenceRefused": {
        f'model_refused_total{{{JOB}, model="price", reason="queue_full"}}': f"0+3x{MINUTES}",
    },
    "InferenceFailing": {
        f'model_refused_total{{{JOB}, model="price", reason="nan"}}': f"0+3x{MINUTES}",
    },
    "InferenceModelsDiffer": {
        f'model_info{{{JOB}, pod="b", model="price", digest="sha256:1"}}': None,
        f'model_info{{{JOB}, pod="b", model="price", digest="sha256:2"}}': f"1x{MINUTES}",
    },
    "InferenceDrift": {
        f'model_feature_drift{{{JOB}, pod="a", model="price", feature="rooms"}}': f"0.4x{MINUTES}",
    },
}


@pytest.fixture(scope="module")
def rules(render: Render) -> dict[str, Any]:
    """Return the groups of rules, as the operator hands them to Prometheus."""
    need("promtool")
    path = "deploy/components/prometheusrule/prometheusrule.yaml"
    (manifest,) = documents(render(Variant("drifting", {"drift": True})).text(path))
    spec: dict[str, Any] = manifest["spec"]
    return spec


def alerts(rules: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"]}


def check(rules: dict[str, Any], series: Series, firing: str | None, folder: Path) -> None:
    """Assert that of all alerts *firing* alone fires at the end of *series*."""
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    expectations = []
    for name in alerts(rules):
        # What the alert carries is compared in full: its labels are those of one series.
        expected: dict[str, Any] = {"eval_time": f"{MINUTES}m", "alertname": name}
        if name == firing:
            expected |= {"exp_alerts": [_carried(rules, name)]}
        expectations.append(expected)
    samples = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": samples, "alert_rule_test": expectations}
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "tests.yaml").write_text(yaml.safe_dump(content))
    succeed(["promtool", "test", "rules", "tests.yaml"], cwd=folder)


def _carried(rules: dict[str, Any], name: str) -> dict[str, Any]:
    rule = alerts(rules)[name]
    of_series = {
        "InferenceSlow": {"route": "/predict"},
        "InferenceRefused": {"model": "price", "reason": "queue_full"},
        "InferenceFailing": {"model": "price", "reason": "nan"},
        "InferenceModelsDiffer": {"model": "price"},
        "InferenceDrift": {"model": "price", "feature": "rooms"},
    }
    labels = {"namespace": "ml"} | of_series.get(name, {}) | rule["labels"]
    return {"exp_labels": labels, "exp_annotations": rule["annotations"]}


def test_prometheus_accepts_the_rules(rules: dict[str, Any], tmp_path: Path) -> None:
    """Every expression parses, every template of a text as well."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))

    succeed(["promtool", "check", "rules", "--lint-fatal", "rules.yaml"], cwd=tmp_path)


def test_a_healthy_service_wakes_nobody(rules: dict[str, Any], tmp_path: Path) -> None:
    """Two pods that answer quickly and rightly: no alert."""
    check(rules, HEALTHY, None, tmp_path)


def test_every_alert_has_series_on_which_it_fires(rules: dict[str, Any]) -> None:
    """A new alert is tested, or this fails."""
    assert set(alerts(rules)) == set(WRONG)


@pytest.mark.parametrize("alert", WRONG)
def test_an_alert_fires_on_its_series_and_no_other_does(
    alert: str, rules: dict[str, Any], tmp_path: Path
) -> None:
    """It names the service, its team and what is affected, and does not drag others along."""
    changed = HEALTHY | WRONG[alert]
    series = {name: values for name, values in changed.items() if values is not None}

    check(rules, series, alert, tmp_path)
