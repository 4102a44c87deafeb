"""`uv lock` for many services: those with the same dependencies share one resolution."""

import json
import os
import re
import shutil
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

from stampede.errors import ProcessError, StampedeError
from stampede.locks import locked
from stampede.processes import run

PROJECT, LOCK = "pyproject.toml", "uv.lock"
PACKAGE = "[[package]]\n"
ROOT = re.compile(r'^source = \{ (editable|virtual) = "\." \}$', re.M)
NAME = re.compile(r'^name = "(.*)"$', re.M)
ANYBODY = "stampede-service"
SECONDS = 600.0
# They say where another project's environment is.
FOREIGN = ("UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV")


def uv() -> str:
    """Return the uv to run.

    Raises:
        StampedeError: There is none.
    """
    found = os.environ.get("UV") or shutil.which("uv")
    if found is None:
        raise StampedeError("uv is missing: install it, or give --no-lock")
    return found


def lock(project: Path, shelf: Path) -> bool:
    """Bring the lock of *project* up to date, and tell whether it changed.

    A lock that another service of the same dependencies got is taken over under this one's name
    if uv finds nothing to change about it.
    """
    file = project / LOCK
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    about = tomllib.loads((project / PROJECT).read_text(encoding="utf-8"))
    name = re.sub(r"[-_.]+", "-", about["project"]["name"]).lower()
    shared = shelf / f"{_key(about, before)}.lock"
    with locked(shared.with_suffix(".held")):
        if not shared.exists():
            _resolve(project)
            shared.write_text(_renamed(file.read_text(encoding="utf-8"), ANYBODY), encoding="utf-8")
            return file.read_text(encoding="utf-8") != before
    file.write_text(_renamed(shared.read_text(encoding="utf-8"), name), encoding="utf-8")
    try:
        _run("lock", "--check", "--offline", "--quiet", project=project)
    except ProcessError:
        file.write_text(before, encoding="utf-8") if before else file.unlink()
        _resolve(project)
    return file.read_text(encoding="utf-8") != before


def _resolve(project: Path) -> None:
    try:
        _run("lock", "--quiet", project=project)
    except ProcessError as error:
        raise StampedeError(f"uv lock: {error} (--no-lock leaves the lock as it is)") from error


def _run(*arguments: str, project: Path) -> None:
    for variable in FOREIGN:
        os.environ.pop(variable, None)
    run(uv(), *arguments, cwd=project, seconds=SECONDS)


def _key(about: dict[str, Any], before: str) -> str:
    """Return what two services have in common if one lock fits both."""
    project = about["project"]
    keys = ("version", "requires-python", "dependencies", "optional-dependencies")
    asked = [project.get(key) for key in keys]
    asked += [about.get("dependency-groups"), about.get("tool", {}).get("uv")]
    text = json.dumps(asked, sort_keys=True) + (_renamed(before, ANYBODY) if before else "")
    return sha256(text.encode()).hexdigest()


def _renamed(text: str, name: str) -> str:
    """Return a lock with the project itself under another name, at that name's place."""
    head, *packages = text.split(PACKAGE)
    own = next((package for package in packages if ROOT.search(package)), None)
    if own is None:
        return text
    # Every package but the last ends with the blank line before the next.
    others = [package.rstrip("\n") for package in packages if package is not own]
    renamed = NAME.sub(f'name = "{name}"', own, count=1).rstrip("\n")
    others.append(renamed)
    others.sort(key=lambda package: NAME.findall(package)[0])
    return head + PACKAGE + f"\n\n{PACKAGE}".join(others) + "\n"
