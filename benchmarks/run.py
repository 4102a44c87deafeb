"""Measure the rendered service beside the design it came from and beside the physical limit.

Every contestant is served by the same Gunicorn and Uvicorn worker, one worker on one core,
with the load from wrk on another; they take turns, round after round, so that a slow minute
of the machine falls on all of them. Time is CPU time of the server's process tree, which a
busy neighbour disturbs less than the clock. Loopback only.

Examples:
    make bench
    uv run python -m benchmarks.run --rounds 5 --seconds 3
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.report import write_report

HERE = Path(__file__).parent
ROOT = HERE.parent
WORK = ROOT / "build/bench"
SERVICE = WORK / "service"
PYTHON = SERVICE / ".venv/bin/python"
PORT = 8765
SERVER_CORE, LOAD_CORE = "0", "1"
CONNECTIONS = (1, 32, 256)
START_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Contestant:
    """A server to measure; an app is served by plain Uvicorn workers, None by the service."""

    name: str
    app: str | None
    models: tuple[str, ...] = ("price", "forest")
    environment: tuple[tuple[str, str], ...] = ()


CONTESTANTS = (
    Contestant("service", None),
    Contestant("service, lane off", None, environment=(("FAST_LANE", "0"),)),
    Contestant("raw ASGI", "raw:app"),
    Contestant("raw ASGI + predict", "raw_predict:app"),
    Contestant("seed design", "seed:app"),
    Contestant("FastAPI def", "fastapi_def:app"),
)


@dataclass(frozen=True)
class Sample:
    """What one load on one contestant gave."""

    contestant: str
    model: str
    connections: int
    requests: int
    errors: int
    cpu_us: float
    per_second: float
    p50_us: float
    p99_us: float
    p999_us: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="per load")
    parser.add_argument("--only", nargs="*", help="contestants by name")
    chosen = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: install it first (the package wrk on Debian and Ubuntu)")
    prepare()
    samples: list[Sample] = []
    bare: dict[str, list[float]] = {"price": [], "forest": []}
    for number in range(chosen.rounds):
        for name, value in measure_bare().items():
            bare[name].append(value)
        for contestant in CONTESTANTS:
            if not chosen.only or contestant.name in chosen.only:
                say(f"round {number + 1} of {chosen.rounds}: {contestant.name}")
                samples += measure(contestant, chosen.seconds)
    medians = {name: statistics.median(values) for name, values in bare.items()}
    write_report([asdict(sample) for sample in samples], medians, HERE / "results")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run(command: list[str | Path], cwd: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, cwd=cwd, env=kept, check=False, text=True, stdout=subprocess.PIPE
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}")
    return done.stdout


def prepare() -> None:
    """Render the service, install it, and fit its models."""
    if SERVICE.exists():
        shutil.rmtree(SERVICE)
    answers = HERE / "answers.yml"
    copier: list[str | Path] = ["copier", "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD"]
    run([*copier, "--data-file", answers, ROOT, SERVICE], ROOT)
    run(["make", "setup"], SERVICE)
    run([PYTHON, HERE / "fit.py"], SERVICE)
    for model in ("price", "forest"):
        bodies = run([PYTHON, HERE / "bodies.py", model], SERVICE)
        (WORK / f"{model}.bodies").write_text(bodies)


def measure_bare() -> dict[str, float]:
    """Measure the predict alone: microseconds of CPU a row."""
    found: dict[str, float] = json.loads(
        run(["taskset", "-c", SERVER_CORE, PYTHON, HERE / "bare.py"], SERVICE)
    )
    return found


def measure(contestant: Contestant, seconds: float) -> Iterator[Sample]:
    with serving(contestant) as pid:
        for model in contestant.models:
            load(model, 8, 0.5)  # warm-up
            for connections in CONNECTIONS:
                before = cpu_seconds(pid)
                figures = load(model, connections, seconds)
                spent = cpu_seconds(pid) - before
                yield Sample(
                    contestant=contestant.name,
                    model=model,
                    connections=connections,
                    requests=figures["requests"],
                    errors=figures["errors"],
                    cpu_us=spent / max(1, figures["requests"]) * 1e6,
                    per_second=figures["requests"] / figures["seconds"],
                    p50_us=figures["p50"],
                    p99_us=figures["p99"],
                    p999_us=figures["p999"],
                )


@contextmanager
def serving(contestant: Contestant) -> Iterator[int]:
    """Serve *contestant* on one core; yield the process id of its main process."""
    gunicorn = ["taskset", "-c", SERVER_CORE, str(PYTHON), "-m", "gunicorn"]
    if contestant.app is None:
        command = [*gunicorn, "--config", "gunicorn.conf.py"]
    else:
        worker = "tuned.Worker"
        command = [*gunicorn, "--bind", f"127.0.0.1:{PORT}", "--workers", "1"]
        command += ["--worker-class", worker, "--no-control-socket", contestant.app]
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment = kept | dict(contestant.environment)
    environment |= {"PORT": str(PORT), "GUNICORN_WORKERS": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(HERE / "contestants")
    with (WORK / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=SERVICE, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_until_answering(server)
        yield server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def wait_until_answering(server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError):
            connection = HTTPConnection("127.0.0.1", PORT, timeout=5)
            connection.request("GET", "/livez")
            connection.getresponse().read()
            return
        time.sleep(0.1)
    sys.exit(f"the server did not start:\n{(WORK / 'server.log').read_text()}")


def load(model: str, connections: int, seconds: float) -> dict[str, Any]:
    """Load one endpoint with distinct rows, as fast as it answers."""
    command = ["taskset", "-c", LOAD_CORE, "wrk", "--threads", "1"]
    command += ["--connections", str(connections), "--duration", f"{max(1, round(seconds))}s"]
    command += ["--script", str(HERE / "post.lua"), f"http://127.0.0.1:{PORT}"]
    bodies = {"BODIES": str(WORK / f"{model}.bodies"), "TARGET": f"/predict/{model}"}
    done = subprocess.run(
        command, env=os.environ | bodies, check=True, text=True, stdout=subprocess.PIPE
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def cpu_seconds(pid: int) -> float:
    """Sum the CPU time of a process and its children, dead ones included."""
    total = 0
    for path in (Path(f"/proc/{pid}"), *children(pid)):
        with suppress(OSError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:13]))
    return total / TICKS


def children(pid: int) -> list[Path]:
    ids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{child}") for child in ids]


if __name__ == "__main__":
    main()
