"""A team's edits meet the template's: each kind, with what comes of it, is a row of edits.yml."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.processes import UV, run, succeed
from support.repositories import commit, copy, snapshot, unmerged_paths
from support.texts import files
from support.variants import DEFAULTS

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("edits")]

Row = dict[str, Any]
Contents = dict[str, bytes]

ROWS: list[Row] = yaml.safe_load(Path(__file__).with_name("edits.yml").read_text(encoding="utf-8"))
FOLLOWED = [
    [path.replace("{{ package }}", DEFAULTS.package) for path in row["migration"]]
    for row in ROWS
    if "migration" in row
]
# A file that the template removes has no other place.
MOVED = {paths[0]: paths[-1] for paths in FOLLOWED}
OLD_NAMES = {new: old for old, new in MOVED.items()}
BEFORE, AFTER = "v1.0.0", "v1.1.0"
MIGRATION = f"""\
  - version: {AFTER}
    command:
      - "{{{{ _copier_python }}}}"
      - "{{{{ _copier_conf.src_path }}}}/hooks/follow.py"
      - "{{{{ _copier_conf.answers_file }}}}"
"""


@dataclass(frozen=True)
class Updated:
    """A service at four times: as first rendered, edited, updated; and as a new one would be."""

    first: Contents
    edited: Contents
    updated: Contents
    fresh: Contents
    unmerged: set[str]
    make: subprocess.CompletedProcess[str]

    def written_by_the_team(self, path: str) -> set[bytes]:
        return lines(self.edited.get(path)) - lines(self.first.get(path))

    def written_by_the_template(self, path: str) -> set[bytes]:
        return lines(self.fresh.get(MOVED.get(path, path))) - lines(self.first.get(path))


def lines(content: bytes | None) -> set[bytes]:
    return set((content or b"").splitlines())


def contents(root: Path) -> Contents:
    return {
        path.as_posix(): (root / path).read_bytes()
        for path in files(root)
        if path.parts[0] != ".git"
    }


def change(path: Path, kind: str, value: Any) -> None:
    """Make one of a row's changes to the file at *path*."""
    match kind, value:
        case "write", str(text):
            path.write_text(text, encoding="utf-8")
        case "append", str(text):
            path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
        case "replace", [str(old), str(new)]:
            text = path.read_text(encoding="utf-8")
            assert text.count(old) == 1, f"{path.name} has {old!r} {text.count(old)} times"
            path.write_text(text.replace(old, new), encoding="utf-8")
        case "run", ["uv", *arguments]:
            succeed([UV, *arguments], cwd=path.parent)
        case "delete", True:
            path.unlink()
        case _:
            raise ValueError(kind, value)


def change_all(root: Path, side: str) -> None:
    for row in ROWS:
        for name, changes in row.get(side, {}).items():
            path = root / name
            for kind, value in changes.items():
                if kind == "move":
                    path = path.rename(root / value)
                else:
                    change(path, kind, value)


def release(template: Path) -> None:
    """Release what the rows say that the template does."""
    change_all(template / "template", "template")
    followed = [
        part
        for old, *new in filter(None, (row.get("migration") for row in ROWS))
        for part in ("--moved" if new else "--removed", old, *new)
    ]
    migration = MIGRATION + "".join(f'      - "{part}"\n' for part in followed)
    change(template / "copier.yml", "replace", ["\n_migrations:\n", f"\n_migrations:\n{migration}"])
    commit(template, "The next release", tag=AFTER)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Updated:
    """Return a service that met all rows at once."""
    folder = tmp_path_factory.mktemp("edits")
    template = snapshot(folder / "template", tag=BEFORE)
    root = copy(template, folder / "service", DEFAULTS.answers, ref=BEFORE)
    commit(root, "Service")
    first = contents(root)
    change_all(root, "team")
    commit(root, "The team's work")
    edited = contents(root)
    release(template)

    updated = run(["make", "update", "COPIER_FLAGS=--trust"], cwd=root, seconds=600)

    fresh = copy(template, folder / "fresh", DEFAULTS.answers, ref=AFTER)
    unmerged = set(unmerged_paths(root).split())
    return Updated(first, edited, contents(root), contents(fresh), unmerged, updated)


def outcomes() -> Iterator[Any]:
    for row in ROWS:
        for path, outcome in row["outcome"].items():
            yield pytest.param(path, outcome, id=f"{row['name']}-{path}")


@pytest.mark.parametrize(("path", "outcome"), [*outcomes()])
def test_what_comes_of_an_edit(path: str, outcome: str, service: Updated) -> None:
    """Whatever both sides did to a file, the outcome is the one that the table promises."""
    found = service.updated.get(path)
    source = path if path in service.edited else OLD_NAMES.get(path, path)
    team, template = service.written_by_the_team(source), service.written_by_the_template(source)

    assert (path in service.unmerged) == (outcome == "conflict")
    match outcome:
        case "kept":
            assert found == service.edited[path]
        case "taken":
            assert found == service.fresh[path]
        case "absent":
            assert found is None
        case "conflict":
            assert team
            assert team <= lines(found)
        case "merged":
            assert team
            assert template
            assert team | template <= lines(found)
        case _:
            raise ValueError(outcome)


def test_nothing_that_the_team_wrote_is_lost(service: Updated) -> None:
    """Every line of the team's is in its file, or where the template has moved the file to."""
    lost = {
        path: missing
        for path in service.edited
        if (
            missing := service.written_by_the_team(path)
            - lines(service.updated.get(path))
            - lines(service.updated.get(MOVED.get(path, path)))
        )
    }

    assert lost == {}


def test_make_update_stops_at_the_conflicts_and_names_them(service: Updated) -> None:
    """What needs a person is on the last lines; what nobody edited, or one side only, is not."""
    conflicts = {
        path for row in ROWS for path, outcome in row["outcome"].items() if outcome == "conflict"
    }
    message, *named = service.make.stderr.split("resolve the conflicts in ")[-1].splitlines()

    assert service.make.returncode != 0
    assert message == "these files, then: make setup test"
    assert {line for line in named if not line.startswith("make: ")} == conflicts
    assert service.unmerged == conflicts
