"""Other programs: each in a process group of its own, so that it ends as a whole when it must."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from stampede.errors import ProcessError, shortened

LONGEST_COMPLAINT = 400


def run(
    *command: str | Path,
    cwd: Path,
    stdin: str = "",
    seconds: float | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Return what *command* prints; names that are no UTF-8 keep their bytes.

    Raises:
        ProcessError: It did not end with 0, or not within *seconds*.
    """
    data = stdin.encode("utf-8", "surrogateescape")
    return pipe(command, cwd=cwd, stdin=data, seconds=seconds, variables=variables).decode(
        "utf-8", "surrogateescape"
    )


def pipe(
    command: tuple[str | Path, ...],
    *,
    cwd: Path,
    stdin: bytes = b"",
    seconds: float | None = None,
    variables: Mapping[str, str] | None = None,
) -> bytes:
    """Do the same with bytes."""
    with subprocess.Popen(  # noqa: S603 - git and uv, with lists of arguments.
        command,
        cwd=cwd,
        env=os.environ | dict(variables or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as process:
        try:
            output, complaint = process.communicate(stdin, timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                message = f"{command[0]} did not end within {seconds:.0f} s"
                raise ProcessError(message) from None
            raise
    if process.returncode:
        raise ProcessError(_last_words(complaint) or f"{command[0]}: exit {process.returncode}")
    return output


def _last_words(complaint: bytes) -> str:
    """Return what a program gives as its reason: git's `fatal:` line, or else the last lines."""
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return shortened("; ".join(fatal or list(filter(None, lines))[-3:]), LONGEST_COMPLAINT)


def git(
    *arguments: str | Path,
    cwd: Path,
    stdin: str = "",
    seconds: float | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run git, whose environment `gitenv` has set."""
    return run("git", *arguments, cwd=cwd, stdin=stdin, seconds=seconds, variables=variables)


def git_succeeds(*arguments: str | Path, cwd: Path) -> bool:
    """Tell whether git answers a question with yes."""
    try:
        git(*arguments, cwd=cwd)
    except ProcessError:
        return False
    return True
