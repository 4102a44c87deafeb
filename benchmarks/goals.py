"""The table of goals: what each ratio is made of. Arithmetic alone, so that tests can see it."""

import operator
import statistics
from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]
Value = float | None

AROUND = (
    "request id and limits",
    "metrics",
    "access log, on the loop",
    "access log, on its thread",
)


# The service as its default answers make it, which predicts with XGBoost itself; and with
# `format: onnx`, as the models of the prototype were that the goals were set by.
EXACT, ONNX = "service", "service, ONNX"
OURS = {EXACT: "", ONNX: ", ONNX"}


@dataclass(frozen=True)
class Goal:
    """A figure that is aimed at, and the one that was measured; None where a part is missing."""

    what: str
    sign: str
    aim: float
    measured: Value
    unit: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the figure as it is printed keeps the aim."""
        if self.measured is None:
            return None
        compare = {">=": operator.ge, "<=": operator.le, "<": operator.lt}[self.sign]
        return bool(compare(float(number(self.measured)), self.aim))


def number(value: float) -> str:
    """Write a figure with as many digits as it deserves."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def median(
    record: Record, server: str, key: str = "cpu_us", model: str = "price", connections: int = 32
) -> Value:
    """Return the median of a figure over the rounds."""
    wanted = (server, model, connections)
    found = [
        sample[key]
        for sample in record["samples"]
        if (sample["server"], sample["model"], sample["connections"]) == wanted
    ]
    return statistics.median(found) if found else None


def bare(record: Record, model: str = "price") -> Value:
    """Return the median of what a prediction takes alone."""
    found = [each[model] for each in record["bare_us"] if model in each]
    return statistics.median(found) if found else None


def ratio(over: Value, under: Value) -> Value:
    return None if over is None or not under else over / under


def extra(record: Record, *path: str) -> Value:
    """Find a figure among what is measured once."""
    found: Any = record["extras"]
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return None if found is None else float(found)


def goals_of(record: Record) -> list[Goal]:
    """Compute all goals."""
    return [
        *_limits(record),
        *_designs(record),
        *_peers(record),
        *_request_path(record),
        *_batches(record),
        *_under_load(record),
        *_sizes(record),
    ]


def _limits(record: Record) -> list[Goal]:
    goals = []
    raw = median(record, "raw ASGI")
    for ours, runtime in OURS.items():
        alone, whole = bare(record, f"price{runtime}"), median(record, ours)
        limit = None if raw is None or alone is None else raw + alone
        handler = median(record, f"raw ASGI + predict{runtime}")
        goals += [
            Goal(f"(raw ASGI + bare predict) / {ours}", ">=", 0.65, ratio(limit, whole)),
            Goal(
                f"raw ASGI with the predict in its handler / {ours}",
                ">=",
                0.95,
                ratio(handler, whole),
            ),
        ]
    return goals


def _designs(record: Record) -> list[Goal]:
    def against_seed(server: str, model: str) -> Value:
        return ratio(median(record, "seed.txt", model=model), median(record, server, model=model))

    return [
        Goal("seed.txt / service, ONNX: XGBoost", ">=", 15, against_seed(ONNX, "price")),
        Goal("seed.txt / service, ONNX: forest", ">=", 100, against_seed(ONNX, "forest")),
        Goal("seed.txt / service, exact: XGBoost", ">=", 9, against_seed(EXACT, "price")),
        Goal("seed.txt / service, exact: forest", ">=", 80, against_seed(EXACT, "forest")),
    ]


def _peers(record: Record) -> list[Goal]:
    aims = {"MLServer": 20, "LitServe": 28, "BentoML": 45, "MLflow": 90, "Ray Serve": 180}
    set_ups = [
        (set_up, aim)
        for name, aim in aims.items()
        for set_up in (name, f"{name}, batching")
        if set_up != "MLflow, batching"  # it has none
    ]
    return [
        Goal(f"{theirs} / {ours}", ">=", aim, ratio(median(record, theirs), median(record, ours)))
        for theirs, aim in set_ups
        for ours in OURS
    ]


def _request_path(record: Record) -> list[Goal]:
    raw = median(record, "raw ASGI", "p50_us", connections=1)
    parts = [extra(record, "parts", name) for name in AROUND]
    known = [value for value in parts if value is not None]
    around = sum(known) if len(known) == len(AROUND) else None
    goals = [Goal("request id + access log + metrics", "<=", 10, around, "us")]
    for ours in OURS:
        p50, few = median(record, ours, "p50_us", connections=1), median(record, ours)
        many = median(record, ours, connections=256)
        goals += [
            Goal(f"p50 at 1 connection: {ours} / raw ASGI", "<=", 1.6, ratio(p50, raw)),
            Goal(
                f"CPU per request at 256 connections / at 32: {ours}", "<=", 1.2, ratio(many, few)
            ),
        ]
    return goals


def _batches(record: Record) -> list[Goal]:
    alone = extra(record, "batches", "bare_us")
    return [
        Goal(
            f"1,000 x 100 batch / bare predict: {name}",
            "<=",
            aim,
            ratio(extra(record, "batches", key, "cpu_us"), alone),
        )
        for name, key, aim in (("binary", "binary", 1.5), ("JSON columns", "columns", 2.5))
    ]


def _under_load(record: Record) -> list[Goal]:
    probes = [
        Goal(
            f"p99 of /livez while predictions saturate, {connections} connections",
            "<",
            aim,
            _thousandth(extra(record, "probes", connections, "p99_us")),
            "ms",
        )
        for connections, aim in (("32", 10.0), ("256", 25.0))
    ]
    goodput = ratio(extra(record, "overload", "goodput"), extra(record, "overload", "capacity"))
    refusal = extra(record, "overload", "refusal_p99_ms")
    return [
        *probes,
        Goal("512 impatient connections, slow model: goodput / capacity", ">=", 0.5, goodput),
        Goal("p99 of a 503 inside the server", "<", 1.0, refusal, "ms"),
    ]


def _thousandth(value: Value) -> Value:
    return None if value is None else value / 1000


def _sizes(record: Record) -> list[Goal]:
    def four(key: str) -> Value:
        lean, theirs = (
            extra(record, "four workers", name, key) for name in ("service, lean", "seed.txt")
        )
        return ratio(lean, theirs)

    sizes = (extra(record, "sizes", name) for name in ("service, lean", "designs"))
    memory = (extra(record, "big model", workers, "memory_mb") for workers in ("4", "1"))
    return [
        Goal("lean / seed.txt: environment size", "<=", 0.2, ratio(*sizes)),
        Goal("lean / seed.txt: memory of 4 workers", "<=", 0.2, four("memory_mb")),
        Goal("lean / seed.txt: start to ready", "<=", 0.35, four("start_seconds")),
        Goal("4 workers with a 500 MB model / 1 worker, memory", "<=", 1.15, ratio(*memory)),
    ]
