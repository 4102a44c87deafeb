"""The benchmark's own arithmetic: what a goal is made of, and when it is met."""

from typing import Any

import pytest

from benchmarks.goals import Goal, goals_of, median, number
from benchmarks.report import goals_table, text_of


def sample(server: str, cpu_us: float, **others: Any) -> dict[str, Any]:
    figures = {"model": "price", "connections": 32, "peer": False, "per_second": 1000.0}
    latencies = {"p50_us": 100.0, "p99_us": 200.0, "p999_us": 300.0, "errors": 0}
    weights = {"memory_mb": 100.0, "start_seconds": 1.0}
    return {"server": server, "cpu_us": cpu_us} | figures | latencies | weights | others


@pytest.fixture
def record() -> dict[str, Any]:
    """Return a run in which the service costs 50 us, the limit 20 and a prediction 10."""
    samples = [sample("service", cpu) for cpu in (40, 50, 900)]
    samples += [sample("service, ONNX", 30), sample("raw ASGI", 20)]
    samples += [sample("MLServer", 2000), sample("MLServer, batching", 900)]
    samples.append(sample("seed.txt", 450))
    return {
        "machine": "a machine",
        "rounds": 3,
        "versions": {"service": "numpy 2"},
        "bare_us": [{"price": 10.0, "price, ONNX": 1.0}, {"price": 10.0, "price, ONNX": 1.0}],
        "extras": {
            "parts": {"request id and limits": 4, "metrics": 3.0},
            "batches": {"bare_us": 2_000.0, "binary": {"cpu_us": 2_800.0}},
        },
        "left_out": {"ray": "does not start"},
        "samples": samples,
    }


def measured(record: dict[str, Any]) -> dict[str, Goal]:
    return {goal.what: goal for goal in goals_of(record)}


def test_one_slow_round_changes_nothing(record: dict[str, Any]) -> None:
    """Figures are medians over the rounds."""
    assert median(record, "service") == 50


def test_goals_are_ratios_of_what_was_measured(record: dict[str, Any]) -> None:
    found = measured(record)

    limit = found["(raw ASGI + bare predict) / service"]
    assert limit.measured == pytest.approx(0.6)
    assert limit.is_met is False
    assert found["(raw ASGI + bare predict) / service, ONNX"].measured == pytest.approx(0.7)
    seed = found["seed.txt / service, exact: XGBoost"]
    assert (seed.measured, seed.is_met) == (9, True)
    batch = found["1,000 x 100 batch / bare predict: binary"]
    assert batch.measured == pytest.approx(1.4)


def test_a_peer_is_held_against_in_each_of_its_set_ups(record: dict[str, Any]) -> None:
    """It shall not lose by a setting; what has no batching is not asked for it."""
    found = measured(record)

    assert found["MLServer / service"].measured == 40
    assert found["MLServer, batching / service"].measured == 18
    assert found["MLServer, batching / service, ONNX"].measured == 30
    assert "MLflow, batching / service" not in found


def test_what_was_not_measured_is_neither_met_nor_missed(record: dict[str, Any]) -> None:
    """A sum of which a part is missing is not measured either."""
    found = measured(record)

    for what in ("Ray Serve / service", "request id + access log + metrics"):
        assert (found[what].measured, found[what].is_met) == (None, None)
    record["extras"]["parts"]["access log, on the loop"] = 1
    record["extras"]["parts"]["access log, on its thread"] = 1
    assert measured(record)["request id + access log + metrics"].measured == 9


def test_a_goal_is_judged_by_the_figure_that_is_printed() -> None:
    """Nobody has to wonder at 1.20 that is more than 1.20."""
    assert Goal("", "<=", 1.20, 1.2049).is_met
    assert not Goal("", "<", 1.0, 0.9999).is_met
    assert [number(value) for value in (0.654, 12.34, 4321.0)] == ["0.65", "12.3", "4321"]


def test_the_page_names_every_figure_and_whoever_was_left_out(record: dict[str, Any]) -> None:
    text = "\n".join(text_of(record, goals_of(record)))

    assert "| (raw ASGI + bare predict) / service | >= 0.65 | 0.60 | missed |" in text
    assert "| MLServer, batching | price | 32 | 900 | 1000 | 100 | 200 | 300 |" in text
    assert "- ray: `does not start`" in text
    assert len(goals_table(goals_of(record))) == len(goals_of(record)) + 2
