"""Turn samples into the table of goals, a table of figures, and a plot."""

import json
import os
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

Samples = list[dict[str, Any]]


@dataclass(frozen=True)
class Goal:
    """A ratio that is aimed at, and the one that was measured; None where a part was left out."""

    what: str
    aim: str
    measured: float | None


def write_report(samples: Samples, bare: dict[str, float], folder: Path) -> None:
    """Write results.json, results.md and cpu.svg into *folder*, and print the tables."""
    folder.mkdir(exist_ok=True)
    record = {"machine": machine(), "bare_predict_us": bare, "samples": samples}
    (folder / "results.json").write_text(json.dumps(record, indent=1) + "\n")
    text = "\n".join(
        [
            "# Results",
            "",
            "One worker on one core, load on another, distinct rows, everything on.",
            f"{record['machine']}",
            "",
            *goals_table(goals(samples, bare)),
            "",
            *figures_table(samples),
            "",
            f"The predict alone: XGBoost {bare['price']:.0f} us, forest {bare['forest']:.0f} us.",
            "",
        ]
    )
    (folder / "results.md").write_text(text)
    plot(samples, bare, folder / "cpu.svg")
    print(text)


def machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def median(samples: Samples, name: str, model: str, connections: int, key: str) -> float | None:
    found = [
        sample[key]
        for sample in samples
        if (sample["contestant"], sample["model"], sample["connections"])
        == (name, model, connections)
    ]
    return statistics.median(found) if found else None


def goals(samples: Samples, bare: dict[str, float]) -> list[Goal]:
    def cpu(name: str, model: str = "price", connections: int = 32) -> float | None:
        return median(samples, name, model, connections, "cpu_us")

    raw = cpu("raw ASGI", connections=32)
    limit = None if raw is None else raw + bare["price"]
    p50 = [median(samples, name, "price", 1, "p50_us") for name in ("service", "raw ASGI")]
    return [
        Goal(
            "(raw ASGI + bare predict) / service, XGBoost", ">= 0.65", ratio(limit, cpu("service"))
        ),
        Goal(
            "raw ASGI + predict / service",
            ">= 0.95",
            ratio(cpu("raw ASGI + predict"), cpu("service")),
        ),
        Goal(
            "seed design / service, XGBoost, exact",
            ">= 9",
            ratio(cpu("seed design"), cpu("service")),
        ),
        Goal(
            "seed design / service, forest, exact",
            ">= 80",
            ratio(cpu("seed design", "forest"), cpu("service", "forest")),
        ),
        Goal("service / raw ASGI, p50 at 1 connection", "<= 1.6", ratio(*p50)),
        Goal(
            "service at 256 connections / at 32",
            "<= 1.20",
            ratio(cpu("service", connections=256), cpu("service")),
        ),
    ]


def ratio(over: float | None, under: float | None) -> float | None:
    return None if over is None or under is None else over / under


def goals_table(found: list[Goal]) -> list[str]:
    rows = [
        f"| {goal.what} | {goal.aim} | {'-' if goal.measured is None else f'{goal.measured:.2f}'} |"
        for goal in found
    ]
    return ["| CPU per request, ratio | goal | measured |", "|---|---|---|", *rows]


def figures_table(samples: Samples) -> list[str]:
    lines = [
        "| contestant | model | clients | CPU us | per s | p50 us | p99 us | p99.9 us | errors |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    keys = dict.fromkeys((s["contestant"], s["model"], s["connections"]) for s in samples)
    for key in keys:
        cells = [
            f"{median(samples, *key, column):.0f}"
            for column in ("cpu_us", "per_second", "p50_us", "p99_us", "p999_us", "errors")
        ]
        lines.append(f"| {' | '.join([*map(str, key), *cells])} |")
    return lines


def plot(samples: Samples, bare: dict[str, float], path: Path) -> None:
    """Draw CPU per request at 32 connections, both models, on a logarithmic axis."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True)
    names = list(dict.fromkeys(sample["contestant"] for sample in samples))
    for axis, model in zip(axes, ("price", "forest"), strict=True):
        values = [median(samples, name, model, 32, "cpu_us") or 0 for name in names]
        bars = axis.barh(
            names, values, color=["#1f6f5c" if n == "service" else "#b8c4c0" for n in names]
        )
        axis.bar_label(bars, fmt="%.0f", padding=3)
        axis.axvline(bare[model], linestyle=":", color="#444444")
        axis.set_xscale("log")
        axis.set_title({"price": "XGBoost, 200 trees", "forest": "RandomForest, 100 trees"}[model])
        axis.set_xlabel("CPU per request, us (dotted: the predict alone)")
        axis.invert_yaxis()
        axis.margins(x=0.15)
    figure.tight_layout()
    figure.savefig(path)
