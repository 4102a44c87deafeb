"""What is measured once: large batches, probes, overload, several workers, sizes, parts."""

import dataclasses
import json
import shutil
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measuring import LOG, load, measured_load, serving
from benchmarks.places import (
    BODIES,
    INSIDE,
    LOAD_CORE,
    PORT,
    ROOT,
    SERVER_CORE,
    WORK,
    FailedError,
    run,
    say,
)
from benchmarks.servers import PEERS, Server, seed, service
from benchmarks.services import BIG, folder_of, run_inside, sources_of

PATIENCE_SECONDS = 1
DESIGNS_PYTHON = PEERS / "designs/bin/python"


def measure_extras(left_out: dict[str, str], seconds: int) -> dict[str, Any]:
    """Measure all of it; a part that fails is noted and left out."""
    parts: dict[str, Callable[[int], dict[str, Any]]] = {
        "parts": _parts,
        "batches": _batches,
        "probes": _probes,
        "overload": _overload,
        "four workers": _four_workers,
        "big model": _big_model,
        "sizes": _sizes,
    }
    found: dict[str, Any] = {}
    for name, part in parts.items():
        say(f"measuring {name}")
        try:
            found[name] = part(seconds)
        except (FailedError, OSError, ValueError) as error:
            left_out[name] = str(error)
            say(f"  left out: {error}")
    return found


def _parts(_: int) -> dict[str, Any]:
    answer = run_inside("service", "parts.py", BODIES / "price.fields")
    return {name: round(value, 2) for name, value in answer.items()}


def _batches(seconds: int) -> dict[str, Any]:
    """A thousand rows of a hundred features, one request after the other; the predict before it."""
    found: dict[str, Any] = {"bare_us": run_inside("service", "bare.py", "wide")["wide"]}
    with serving(service("service")) as running:
        columns = BODIES / "wide.columns"
        found["columns"] = measured_load(running, columns, "/predict/wide/batch", 1, seconds)
        head = (BODIES / "wide.binary.head").read_text()
        headers = {"inference_header_content_length": head}
        headers["content_type"] = "application/octet-stream"
        path = "/v2/models/wide/infer"
        binary = measured_load(running, BODIES / "wide.binary", path, 1, seconds, **headers)
        if binary["errors"] == 0:
            found["binary"] = binary
    return found


def _probes(seconds: int) -> dict[str, Any]:
    """One client asks /livez while others saturate the prediction endpoint."""
    found = {}
    with serving(service("service")) as running, ThreadPoolExecutor(1) as background:
        for connections in (32, 256):
            path, bodies = "/predict/price", BODIES / "price.fields"
            busy = background.submit(load, bodies, path, connections, seconds + 1)
            found[str(connections)] = measured_load(
                running, Path("/dev/null"), "/livez", 1, seconds
            )
            busy.result()
    return found


def slow_service() -> Server:
    """Return the service with a predictor that takes some milliseconds a row."""
    source = WORK / "slow-src"
    if source.exists():
        shutil.rmtree(source)
    shutil.copytree(folder_of("service") / "src", source)
    predictors = source / "bench_service/predictors"
    shutil.copy(INSIDE / "slow_predictor.py", predictors / "price.py")
    timeout = str(PATIENCE_SECONDS)
    return service("service", "slow", REQUEST_TIMEOUT_SECONDS=timeout, PYTHONPATH=str(source))


def _overload(seconds: int) -> dict[str, Any]:
    """Compare what impatient clients get of a slow model with what patient ones do."""
    bodies = BODIES / "price.fields"
    with serving(slow_service()) as running:
        capacity = measured_load(running, bodies, "/predict/price", 8, seconds)["per_second"]
        asked = 4 * seconds
        client: list[str | Path] = ["taskset", "-c", LOAD_CORE, sys.executable, "-m"]
        client += ["benchmarks.impatient", str(PORT), "/predict/price", bodies, str(asked)]
        outcomes = json.loads(run(client, ROOT))
    refusals = [line["duration_ms"] for line in _access_log() if line["status"] == 503]
    found: dict[str, Any] = {"capacity": capacity, "outcomes": outcomes}
    found["goodput"] = outcomes.get("200", 0) / asked
    found["refusals"] = len(refusals)
    if len(refusals) > 1:
        found["refusal_p99_ms"] = statistics.quantiles(refusals, n=100)[-1]
    return found


def _access_log() -> list[dict[str, Any]]:
    lines = LOG.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and '"access"' in line]


def _four_workers(_: int) -> dict[str, Any]:
    """Memory of four workers after some requests, and the time from start to the first answer."""
    servers = [service(name, workers=4) for name in ("service", "service, lean")]
    servers.append(seed(DESIGNS_PYTHON, workers=4))
    found: dict[str, Any] = {}
    for server in servers:
        if server.python.exists():
            found[server.name] = _weigh(server)
    return found


def _weigh(server: Server) -> dict[str, float]:
    model, path = server.paths[0]
    with serving(server, f"{SERVER_CORE},{LOAD_CORE}") as running:
        load(BODIES / f"{model}.{server.form}", path, 32, 1)
        return {"memory_mb": running.memory_mb(), "start_seconds": running.start_seconds}


def _big_model(_: int) -> dict[str, Any]:
    """The memory of one worker and of four with a model of some hundred megabytes."""
    found: dict[str, Any] = {}
    for workers in (1, 4):
        server = service(BIG, workers=workers, PYTHONPATH=sources_of(BIG))
        server = dataclasses.replace(server, paths=(("price", "/predict/big"),))
        found[str(workers)] = _weigh(server)
    (artifact,) = (folder_of(BIG) / "models").glob("big.skops")
    found["artifact_mb"] = artifact.stat().st_size / 1e6
    return found


def _sizes(_: int) -> dict[str, Any]:
    """Sizes of the environments that are there, in MB, bytecode included."""
    folders = {name: folder_of(name) / ".production" for name in ("service", "service, lean")}
    folders |= {path.name: path for path in sorted(PEERS.iterdir()) if (path / "bin").is_dir()}
    return {name: _size(path) for name, path in folders.items() if path.is_dir()}


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
