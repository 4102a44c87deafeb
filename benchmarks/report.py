"""Turn what was measured into tables and plots."""

import json
from pathlib import Path
from typing import Any

from benchmarks.goals import Goal, Record, bare, extra, goals_of, median, number
from benchmarks.versions import machine

OURS, THEIRS = "#1f6f5c", "#b8c4c0"
CONNECTIONS = (1, 32, 256)
SAMPLE_COLUMNS = (
    "server",
    "model",
    "connections",
    "CPU us",
    "requests/s",
    "p50 us",
    "p99 us",
    "p99.9 us",
    "errors",
    "MB",
    "start s",
)


def write_report(record: Record, folder: Path) -> None:
    """Write results.json, README.md and the plots into *folder*, and print the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"machine": machine(), **record}
    goals = goals_of(record)
    record["goals"] = [vars(goal) | {"is_met": goal.is_met} for goal in goals]
    (folder / "results.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    text = "\n".join(text_of(record, goals))
    (folder / "README.md").write_text(text, encoding="utf-8")
    draw(record, folder)
    print(text)


def text_of(record: Record, goals: list[Goal]) -> list[str]:
    """Compose the page of results."""
    return [
        "# Results of `make bench`",
        "",
        f"On {record['machine']}.",
        "One worker on one core, the load from wrk on another, distinct rows; request id, access",
        "log, metrics, admission and deadline on. CPU time is that of the server's process tree;",
        f"figures are medians of {record['rounds']} interleaved rounds.",
        "",
        "![CPU time per request](cpu.svg)",
        "",
        "![Latency and throughput](latency.svg)",
        "",
        "## Goals",
        "",
        "Ratios of CPU time per request for one row of XGBoost (200 trees of depth 6, 8 features)",
        "at 32 connections, unless the row says otherwise.",
        "",
        *goals_table(goals),
        "",
        "## Requests",
        "",
        *samples_table(record),
        "",
        "The predict alone, in a loop over distinct rows, in us: XGBoost",
        f"{_cell(bare(record))} ({_cell(bare(record, 'price, ONNX'))} by ONNX Runtime), forest",
        f"{_cell(bare(record, 'forest'))} ({_cell(bare(record, 'forest, ONNX'))}), XGBoost on",
        f"1,000 x 100 {_cell(extra(record, 'batches', 'bare_us'))}.",
        "",
        "## Once",
        "",
        *extras_table(record),
        "",
        "## Versions",
        "",
        *[f"- {name}: {versions}" for name, versions in record["versions"].items()],
        "",
        *left_out_list(record),
    ]


def goals_table(goals: list[Goal]) -> list[str]:
    lines = ["| | goal | measured | |", "|---|---|---|---|"]
    for goal in goals:
        unit = f" {goal.unit}" if goal.unit else ""
        verdict = {None: "not measured", True: "met", False: "missed"}[goal.is_met]
        aim = f"{goal.sign} {goal.aim:g}{unit}"
        measured = "-" if goal.measured is None else f"{number(goal.measured)}{unit}"
        lines.append(f"| {goal.what} | {aim} | {measured} | {verdict} |")
    return lines


def samples_table(record: Record) -> list[str]:
    lines = [
        f"| {' | '.join(SAMPLE_COLUMNS)} |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    keys = ("cpu_us", "per_second", "p50_us", "p99_us", "p999_us", "errors", "memory_mb")
    samples = record["samples"]
    rows = dict.fromkeys((s["server"], s["model"], s["connections"]) for s in samples)
    for name, model, connections in rows:
        figures = [
            _cell(median(record, name, key, model, connections)) for key in (*keys, "start_seconds")
        ]
        lines.append(f"| {name} | {model} | {connections} | {' | '.join(figures)} |")
    return lines


def extras_table(record: Record) -> list[str]:
    """Print whatever was measured once, as it is."""
    lines = ["| | |", "|---|---|"]
    for part, found in record["extras"].items():
        lines += [f"| {part}: {name} | {value} |" for name, value in _flat(found)]
    return lines


def _flat(found: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in found.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{name}, ")
        else:
            rows.append((f"{before}{name}", number(value)))
    return rows


def left_out_list(record: Record) -> list[str]:
    if not record["left_out"]:
        return []
    lines = [f"- {name}: `{reason}`" for name, reason in record["left_out"].items()]
    return ["## Left out", "", *lines, ""]


def _cell(value: float | None) -> str:
    return "-" if value is None else number(value)


def draw(record: Record, folder: Path) -> None:
    """Draw the plots, as SVG."""
    import matplotlib as mpl  # noqa: PLC0415 - only `make bench` has it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    # The same figures make the same file.
    mpl.rcParams["svg.hashsalt"] = "stampede"
    figure, axes = plt.subplots(1, 2, figsize=(11, 5), width_ratios=(3, 2))
    for axis, model in zip(axes, ("price", "forest"), strict=True):
        _bars(axis, record, model)
    _save(figure, folder / "cpu")
    figure, axes = plt.subplots(1, 2, figsize=(11, 5))
    names = [name for name in _names(record, "price") if "batching" not in name]
    for axis, key, title in zip(
        axes, ("p50_us", "per_second"), ("p50, us", "requests per second"), strict=True
    ):
        for name in names:
            values = [median(record, name, key, "price", each) for each in CONNECTIONS]
            width = 2.5 if name.startswith("service") else 1.0
            axis.plot(CONNECTIONS, values, marker="o", label=name, linewidth=width)
        axis.set(xscale="log", yscale="log", title=title, xlabel="connections")
        axis.set_xticks(CONNECTIONS, map(str, CONNECTIONS))
    axes[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, folder / "latency")


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def _names(record: Record, model: str) -> list[str]:
    found = (sample["server"] for sample in record["samples"] if sample["model"] == model)
    return sorted(dict.fromkeys(found), key=lambda name: median(record, name, model=model) or 0)


def _bars(axis: Any, record: Record, model: str) -> None:
    names = _names(record, model)
    values = [median(record, name, model=model) or 0 for name in names]
    colours = [OURS if name.startswith("service") else THEIRS for name in names]
    axis.bar_label(axis.barh(names, values, color=colours), fmt="%.0f", padding=3)
    if alone := bare(record, model):
        axis.axvline(alone, linestyle=":", color="#444444")
    axis.set_xscale("log")
    axis.set_title({"price": "XGBoost, 200 trees", "forest": "RandomForest, 100 trees"}[model])
    axis.set_xlabel("CPU per request, us (dotted: the predict alone)")
    axis.invert_yaxis()
    axis.margins(x=0.15)
