"""The README keeps its word: its commands run, its links lead somewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import succeed
from support.repositories import ROOT, git

README = ROOT / "README.md"
DEMO_SECONDS = 180
SERVICE_SECONDS = 600
# What the README says one needs, and what any POSIX system has.
NEEDED = ("git", "make", "python3")
POSIX = ("awk", "dirname", "env", "find", "mkdir", "mv", "realpath", "rm", "sed", "sh", "uname")
# The first would run this test again; to the second there is nothing new.
NOT_RUN = {"make test", "make update"}


def commands() -> list[str]:
    """Return the lines of the README's shell blocks, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


def test_its_links_lead_somewhere() -> None:
    """A relative link names a file of this repository."""
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", README.read_text())

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("missing", ["git", "python3"])
def test_what_is_missing_is_named_in_one_line(missing: str, template: Path, tmp_path: Path) -> None:
    """Whoever lacks a program reads which one, not what failed for want of it."""
    path = _only(tmp_path / "bin", *NEEDED, *POSIX)
    (path / missing).unlink()

    demo = _run("make demo", path, cwd=template, seconds=10)

    assert demo.returncode != 0
    assert demo.stderr.startswith(f"{missing} is missing: ")


@pytest.mark.service
def test_its_commands_need_python_make_and_git_alone(template: Path, tmp_path: Path) -> None:
    """On a fresh clone the demo shows each of the four endpoints, and the rest ends well too."""
    clone = tmp_path / "clone"
    git("clone", "--quiet", str(template), str(clone), cwd=tmp_path)
    path = _only(tmp_path / "bin", *NEEDED, *POSIX)
    first, *others = (command for command in commands() if command not in NOT_RUN)
    assert first == "make demo"

    demo = _run(first, path, cwd=clone, seconds=DEMO_SECONDS)
    rest = _run("\n".join(others), path, cwd=clone, seconds=SERVICE_SECONDS)

    assert demo.returncode == 0, f"{demo.stdout}\n{demo.stderr}"
    shown = re.findall(r"^\$ curl .*?127\.0\.0\.1:\d+(\S+) .*\n(.*)$", demo.stdout, re.M)
    assert [endpoint.endswith("/batch") for endpoint, _ in shown] == [False, True] * 2
    for endpoint, answer in shown:
        key = "predictions" if endpoint.endswith("/batch") else "prediction"
        assert key in json.loads(answer)
    assert rest.returncode == 0, f"{rest.stdout}\n{rest.stderr}"
    assert git("status", "--porcelain", cwd=clone) == ""


def _only(folder: Path, *programs: str) -> Path:
    """Make a folder for PATH that has these programs and no others."""
    folder.mkdir()
    for program in programs:
        found = succeed(["sh", "-c", f"command -v {program}"], cwd=folder).strip()
        (folder / program).symlink_to(found)
    # Not a version manager's shim, which would need programs of its own.
    (folder / "python3").unlink()
    (folder / "python3").symlink_to(Path(sys.base_prefix, "bin/python3"))
    return folder


def _run(script: str, path: Path, *, cwd: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a script of shell commands, up to the first that fails, in an almost empty environment.

    It keeps what a machine needs to reach the package index and to commit.
    """
    kept = re.compile(
        r"HOME|TMPDIR|GIT_.*|PIP_.*|SSL_CERT_.*|UV_(CACHE|INDEX|DEFAULT).*|.*_proxy", re.I
    )
    return subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=cwd,
        env={"PATH": str(path)} | {n: v for n, v in os.environ.items() if kept.fullmatch(n)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
