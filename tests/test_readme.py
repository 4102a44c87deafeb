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
# What the README says one needs, and what any POSIX system has.
NEEDED = ("git", "make", "python3")
POSIX = ("awk", "env", "mkdir", "mv", "rm", "sed", "sh", "uname")


def commands() -> list[str]:
    """Return the lines of the README's shell blocks."""
    blocks = re.findall(
        r"^```(?:sh|shell|bash|console)\n(.*?)^```", README.read_text(), re.M | re.S
    )
    return [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines()]


def test_every_target_that_it_names_exists() -> None:
    """`make TARGET` is there wherever the README of this repository says so."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {target for line in commands() for target in re.findall(r"^make ([a-z-]+)", line)}

    assert {"demo", "test"} <= named
    # Those of a rendered service are shown after a `cd` into it.
    of_a_service = {"setup", "train", "serve", "dev", "call", "update"}
    assert named - of_a_service <= targets


def test_its_links_lead_somewhere() -> None:
    """A relative link names a file of this repository."""
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", README.read_text())

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.service
def test_the_demo_needs_python_make_and_git_alone(template: Path, tmp_path: Path) -> None:
    """On a fresh clone `make demo` brings the rest and shows each of the four endpoints."""
    git("clone", "--quiet", str(template), str(tmp_path / "clone"), cwd=tmp_path)
    path = _only(tmp_path / "bin", *NEEDED, *POSIX)

    demo = subprocess.run(
        ["make", "demo"],
        cwd=tmp_path / "clone",
        env={"PATH": str(path), **_passed_on()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
    )

    assert demo.returncode == 0, f"{demo.stdout}\n{demo.stderr}"
    shown = re.findall(r"^\$ curl .*?127\.0\.0\.1:\d+(\S+) .*\n(.*)$", demo.stdout, re.M)
    assert [endpoint.endswith("/batch") for endpoint, _ in shown] == [False, True] * 2
    for endpoint, answer in shown:
        key = "predictions" if endpoint.endswith("/batch") else "prediction"
        assert key in json.loads(answer)


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


def _passed_on() -> dict[str, str]:
    """Return what a machine needs to reach the package index, and where uv caches."""
    kept = re.compile(r"HOME|TMPDIR|.*_proxy|SSL_CERT_.*|PIP_.*|UV_(CACHE|INDEX|DEFAULT).*", re.I)
    return {name: value for name, value in os.environ.items() if kept.fullmatch(name)}
