"""Start a contestant on one core, load it from another, and read what the kernel counted."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from benchmarks.places import BODIES, HERE, LOAD_CORE, PORT, SERVER_CORE, WORK, FailedError
from benchmarks.places import environment as variables_with
from benchmarks.servers import Server

START_SECONDS = 180
END_SECONDS = 15
TICKS = os.sysconf("SC_CLK_TCK")
LOG = WORK / "server.log"


@dataclass(frozen=True)
class Running:
    """A contestant that answers."""

    pid: int
    start_seconds: float

    def tree(self) -> list[int]:
        """Return the main process and all below it."""
        found, at = [self.pid], 0
        while at < len(found):
            with suppress(OSError):
                for task in Path(f"/proc/{found[at]}/task").iterdir():
                    found += map(int, (task / "children").read_text().split())
            at += 1
        return found

    def cpu_seconds(self) -> float:
        """Sum the CPU time of the tree, of processes that ended in it too."""
        total = 0
        for pid in self.tree():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += sum(map(int, fields[11:15]))
        return total / TICKS

    def memory_mb(self) -> float:
        """Sum the tree's memory; what processes share counts once."""
        total = 0
        for pid in self.tree():
            with suppress(OSError):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += sum(int(line.split()[1]) for line in text.splitlines() if "Pss:" in line)
        return total / 1024


@contextmanager
def serving(server: Server, core: str = SERVER_CORE) -> Iterator[Running]:
    """Serve until the block ends; nothing of it is left behind.

    Raises:
        FailedError: it does not answer a prediction; the text is the last line that it wrote.
    """
    command = ["taskset", "-c", core, *server.command]
    began = time.monotonic()
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=server.folder,
            env=variables_with(**dict(server.environment)),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    started = Running(process.pid, 0.0)
    try:
        _wait_until_answering(server, process)
        yield Running(process.pid, time.monotonic() - began)
    finally:
        pids = started.tree()
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        _wait_until_free()


def _wait_until_answering(server: Server, process: subprocess.Popen[bytes]) -> None:
    model, path = server.paths[0]
    body = (BODIES / f"{model}.{server.form}").read_text().partition("\n")[0]
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError, HTTPException):
            connection = HTTPConnection("127.0.0.1", PORT, timeout=10)
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            if connection.getresponse().status == 200:
                return
        time.sleep(0.02)
    said = LOG.read_text(errors="replace").strip().splitlines() or ["nothing"]
    errors = [line for line in said if "Error" in line]
    raise FailedError(f"does not answer: {(errors or said)[-1][:200]}")


def _wait_until_free() -> None:
    """Wait until nobody listens any more."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        try:
            HTTPConnection("127.0.0.1", PORT, timeout=1).connect()
        except OSError:
            return
        time.sleep(0.1)


def load(
    bodies: Path, path: str, connections: int, seconds: int, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Ask as fast as it answers, with distinct bodies; an empty file of bodies means GET."""
    command = ["taskset", "-c", LOAD_CORE, "wrk", "--threads", "1"]
    command += ["--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "30s"]
    command += ["--script", str(HERE / "post.lua"), f"http://127.0.0.1:{PORT}"]
    given = {"BODIES": str(bodies), "TARGET": path}
    given["HEADERS"] = "\n".join(f"{name}: {value}" for name, value in (headers or {}).items())
    done = subprocess.run(
        command,
        env=os.environ | given,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        timeout=seconds + 60,
    )
    if done.returncode != 0:
        raise FailedError(f"wrk: exit {done.returncode}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measured_load(
    running: Running, bodies: Path, path: str, connections: int, seconds: int, **headers: str
) -> dict[str, float]:
    """Load, and count the CPU time of each request and the answers that were no success."""
    before = running.cpu_seconds()
    figures = load(bodies, path, connections, seconds, headers)
    spent = running.cpu_seconds() - before
    requests = figures["requests"]
    if requests == 0:
        raise FailedError(f"answers nothing to {connections} connections")
    return {
        "connections": connections,
        "requests": requests,
        "errors": figures["errors"],
        "cpu_us": spent / requests * 1e6,
        "per_second": requests / figures["seconds"],
        "p50_us": figures["p50"],
        "p99_us": figures["p99"],
        "p999_us": figures["p999"],
    }
