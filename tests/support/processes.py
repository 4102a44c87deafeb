"""Commands run as a user would run them, in an environment that this suite alone decides."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

BIN = Path(sys.executable).parent
# `uv run` tells its children which uv it is; pytest may also be started without it.
UV = os.environ.get("UV") or shutil.which("uv") or "uv"


# What the `make` and the `uv run` that started the suite tell their children; and without byte
# code, which some containers forbid to write, every command spends seconds on compiling.
DROPPED = {"MAKEFLAGS", "MAKELEVEL", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without what is DROPPED, with *extra*."""
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    return kept | {"PATH": f"{BIN}{os.pathsep}{Path(UV).parent}{os.pathsep}{kept['PATH']}"} | extra


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    seconds: float = 300,
    stdin: str = "",
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run *command* to its end, whatever its exit code."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment(**variables or {}),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def succeed(
    command: Sequence[str | Path], *, cwd: Path, seconds: float = 300, stdin: str = ""
) -> str:
    """Run *command*, which must exit 0, and return its standard output."""
    done = run(command, cwd=cwd, seconds=seconds, stdin=stdin)
    shown = " ".join(str(part) for part in command)
    assert done.returncode == 0, f"{shown}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
