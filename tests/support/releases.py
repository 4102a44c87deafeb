"""The template's releases, and the working tree as the next one: something to update between."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from packaging.version import Version

from support.processes import run
from support.repositories import ROOT, git, snapshot

# From the oldest to the latest.
RELEASES: dict[str, str] = tomllib.loads((ROOT / "tests/releases.toml").read_text())


def declared_version(pyproject: str) -> Version:
    return Version(tomllib.loads(pyproject)["project"]["version"])


def _next_version() -> str:
    """Return what pyproject.toml says, or the next patch where that is released already."""
    latest = Version([*RELEASES][-1])
    working = declared_version((ROOT / "pyproject.toml").read_text())
    patch = f"{latest.major}.{latest.minor}.{latest.micro + 1}"
    return f"v{working}" if working > latest else f"v{patch}"


NEXT = _next_version()


def commit_of(version: str) -> str:
    commit = RELEASES[version]
    found = run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT)
    assert found.returncode == 0, (
        f"this clone lacks commit {commit}, which is {version}: "
        "fetch the whole history (git fetch --unshallow)"
    )
    return commit


def released(version: str, path: str) -> str:
    """Return a file of this repository as it was released."""
    return git("show", f"{commit_of(version)}:{path}", cwd=ROOT)


def released_examples(version: str) -> list[str]:
    """Return the paths of the answer files that a release had as examples."""
    listed = git("ls-tree", "--name-only", commit_of(version), "examples/", cwd=ROOT).splitlines()
    return [path for path in listed if path.endswith(".yml") and path != "examples/fleet.yml"]


def repository(destination: Path) -> Path:
    """Clone this checkout with a tag at each release, and the working tree as the next one."""
    # As from afar, so that no object is a file of its own.
    options = ["--quiet", "--no-local", "--no-checkout", "--no-tags"]
    git("clone", *options, str(ROOT), str(destination), cwd=ROOT)
    for version in RELEASES:
        git("tag", version, commit_of(version), cwd=destination)
    return snapshot(destination, tag=NEXT)


@dataclass(frozen=True)
class Migration:
    """An entry of `_migrations`: the version that it belongs to, and what it runs."""

    version: str
    hook: str
    arguments: list[str]

    def is_crossed_from(self, version: str) -> bool:
        return Version(version) < Version(self.version) <= Version(NEXT)


def migrations(questions: dict[str, Any] | None = None) -> Iterator[Migration]:
    """Yield the migrations of *questions*, by default of the working tree's."""
    if questions is None:
        questions = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    for entry in questions.get("_migrations", []):
        _python, hook, _answers_file, *arguments = entry["command"]
        yield Migration(entry["version"], Path(hook).name, arguments)


def crossed_from(version: str) -> list[Migration]:
    return [migration for migration in migrations() if migration.is_crossed_from(version)]


def renamed_answers(crossed: Iterable[Migration]) -> dict[str, str]:
    """Return the names of questions that *crossed* migrations rename, old to new."""
    return {m.arguments[0]: m.arguments[1] for m in crossed if m.hook == "rename_answer.py"}


def moved_paths(crossed: Iterable[Migration]) -> set[str]:
    """Return the paths that *crossed* migrations let a team's edits follow from."""
    return {
        path
        for migration in crossed
        for flag, path in pairwise(migration.arguments)
        if flag in {"--moved", "--removed"}
    }
