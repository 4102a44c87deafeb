"""What was measured, and on what kind of machine: no name of it, and no path on it."""

import os
import platform
from pathlib import Path

from benchmarks.places import WORK, FailedError, run
from benchmarks.servers import Server

# What is named in the results, where a contestant's environment has it.
NAMED = (
    "bentoml",
    "fastapi",
    "flask",
    "gevent",
    "gunicorn",
    "litserve",
    "mlflow",
    "mlserver",
    "numpy",
    "onnxruntime",
    "orjson",
    "pydantic",
    "ray",
    "scikit-learn",
    "uvicorn",
    "uvloop",
    "xgboost",
    "xgboost-cpu",
)


def machine() -> str:
    model = "an unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = " ".join(line.partition(":")[2].split())
            break
    kernel = ".".join(platform.release().split(".")[:2])
    python = platform.python_version()
    return f"{model}, {os.cpu_count()} cores, Linux {kernel}, Python {python}"


def versions_of(servers: list[Server]) -> dict[str, str]:
    """Return the named packages' versions of each contestant's environment."""
    found = {}
    for server in servers:
        try:
            listed = run(["uv", "pip", "freeze", "--quiet", "--python", server.python], WORK)
        except FailedError:
            continue
        pinned = (line.split("==") for line in listed.splitlines() if "==" in line)
        found[server.name] = ", ".join(
            f"{name} {version}" for name, version in pinned if name.lower() in NAMED
        )
    return found
