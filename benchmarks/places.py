"""Where the benchmark works, and on which cores."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
APPS = HERE / "contestants"
INSIDE = HERE / "inside"
WORK = ROOT / "build/bench"
BODIES = WORK / "bodies"
PORT = 8765
SERVER_CORE, LOAD_CORE = "0", "1"


class FailedError(Exception):
    """A part of the benchmark that cannot be measured; the run goes on without it."""


def say(line: str) -> None:
    # In one piece: threads say things too.
    sys.stderr.write(f"{line}\n")


def environment(**others: str) -> dict[str, str]:
    """Return the variables of a process of another environment than this one's."""
    # Other people's tools are asked not to report home.
    quiet = {
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Its workers are to run in its own environment, not in that of whoever started this.
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "OMP_NUM_THREADS": "1",
    }
    # Servers in production have bytecode beside their sources, whatever a developer prefers.
    other = ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if name not in other}
    return kept | quiet | others


def run(command: list[str | Path], cwd: Path, seconds: int = 900, **variables: str) -> str:
    """Run *command* to its end and return what it printed.

    Raises:
        FailedError: it failed, or took too long; the text ends with its last line.
    """
    name = " ".join(Path(part).name for part in map(str, command[:3]))
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment(**variables),
            check=False,
            text=True,
            capture_output=True,
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FailedError(f"{name}: {type(error).__name__}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise FailedError(f"{name}: exit {done.returncode}: {said[-1]}")
    return done.stdout
