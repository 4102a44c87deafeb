"""Measure stampede on a generated fleet, beside bare renderings through Copier's own API.

CPU is that of the whole process tree; memory is the largest of its processes. The template is this
checkout's last commit, the services take turns in being stamped from the examples.

Examples:
    uv run python -m benchmarks.fleet --services 100
    uv run python -m benchmarks.fleet --services 1000 --plan-only
"""

import argparse
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build/bench-fleet"
# <linux/prctl.h>: orphans of what is measured are waited for here, and so counted.
PR_SET_CHILD_SUBREAPER = 36
BARE = """
import sys, yaml
from copier import run_copy
template, answers, folder = sys.argv[1:]
for number, data in enumerate(yaml.safe_load(open(answers))):
    run_copy(template, f"{folder}/{number}", data, vcs_ref="v1.0.0", defaults=True, quiet=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--plan-only", action="store_true")
    asked = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.environ["XDG_CACHE_HOME"] = str(WORK / "cache")
    os.environ["COPIER_CACHE_DIR"] = str(WORK / "cache/copier")
    fleet = prepare(asked.services)
    stampede = [Path(sys.executable).with_name("stampede")]
    options: list[str | Path] = [fleet, "--quiet", "--jobs", str(asked.jobs)]
    if asked.plan_only:
        measure(f"plan of {asked.services} new services", [*stampede, "plan", *options], {3})
        return
    bare: list[str | Path] = [
        sys.executable,
        "-c",
        BARE,
        WORK / "template",
        WORK / "answers.yml",
        WORK / "bare",
    ]
    measure(f"{asked.services} bare renderings", bare)
    measure("lint", [*stampede, "lint", *options])
    measure("plan, nothing there", [*stampede, "plan", *options], {3})
    measure("first apply", [*stampede, "apply", *options, "--no-lock"])
    measure("second apply", [*stampede, "apply", *options, "--no-lock"])
    measure("status", [*stampede, "status", *options])
    release()
    measure("plan of an update", [*stampede, "plan", *options], {3})
    measure("apply of an update", [*stampede, "apply", *options, "--no-lock"])


def prepare(count: int) -> Path:
    """Make a template of this checkout's last commit and a fleet of *count* services."""
    shutil.rmtree(WORK, ignore_errors=True)
    template = WORK / "template"
    template.mkdir(parents=True)
    git(ROOT, "archive", "--format=tar", f"--output={WORK}/template.tar", "HEAD")
    shutil.unpack_archive(WORK / "template.tar", template, "tar", filter="data")
    git(template, "init", "--quiet")
    commit(template, "v1.0.0")
    examples = [
        answers for path in sorted((template / "examples").glob("*.yml")) if (answers := load(path))
    ]
    numbered = [
        examples[number % len(examples)] | {"service_name": f"service-{number}"}
        for number in range(count)
    ]
    (WORK / "answers.yml").write_text(yaml.safe_dump(numbered))
    services = [{"path": f"fleet/{number}", "answers": one} for number, one in enumerate(numbered)]
    content = {"template": {"source": "template", "version": "latest"}, "services": services}
    fleet = WORK / "fleet.yml"
    fleet.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False))
    return fleet


def load(path: Path) -> dict[str, Any]:
    """Return the answers of an example; nothing, if it is the fleet file."""
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found if "service_name" in found else {}


def release() -> None:
    """Release a version that changes one file of every service."""
    with (WORK / "template/template/Makefile.jinja").open("a") as file:
        file.write("\n# Another version.\n")
    commit(WORK / "template", "v1.1.0")
    for folder in (WORK / "fleet").iterdir():
        commit(folder)


def commit(folder: Path, tag: str | None = None) -> None:
    git(folder, "add", "--all")
    git(
        folder,
        "-c",
        "user.name=B",
        "-c",
        "user.email=b@localhost",
        "commit",
        "-qm",
        "x",
        "--allow-empty",
    )
    if tag:
        git(folder, "tag", tag)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)  # noqa: S607 - found on PATH.


def measure(
    name: str, command: Sequence[str | Path], codes: frozenset[int] | set[int] = frozenset({0})
) -> None:
    """Run *command* to its end, orphans included, and print what it took."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    code = process.wait()
    wall = time.monotonic() - started
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{name:32} {wall:7.1f} s  CPU {cpu:7.1f} s  memory {after.ru_maxrss // 1024} MB",
        flush=True,
    )
    if code not in codes:
        raise SystemExit(f"{name}: exit {code}")


if __name__ == "__main__":
    main()
