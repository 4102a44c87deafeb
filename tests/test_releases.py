"""From every release to this checkout: each example's service arrives as if it were new."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy, run_update
from packaging.version import Version
from plumbum import local
from support.ownership import owners
from support.processes import BIN, run
from support.releases import (
    NEXT,
    RELEASES,
    Migration,
    commit_of,
    crossed_from,
    declared_version,
    migrations,
    moved_paths,
    released,
    released_files,
    renamed_answers,
    repository,
)
from support.repositories import ROOT, commit, git, unmerged_paths
from support.texts import files
from support.variants import QUESTIONS, Answers

EXPECTED = Path(__file__).parent / "expected"
# One file for each model, named by an answer.
NAMED_BY_ANSWERS = ("contracts/", "predictors/", "training/")

Contents = dict[Path, bytes]


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("releases") / "template")


def each_example() -> Iterator[Any]:
    """Yield each release with each example that it had; one example's stay on one worker."""
    for version in RELEASES:
        for path in released_files(version, "examples"):
            name = Path(path).stem
            marks = pytest.mark.xdist_group(f"releases-{name}")
            yield pytest.param(version, path, id=f"{version}-{name}", marks=marks)


def contents(root: Path) -> Contents:
    return {path: (root / path).read_bytes() for path in files(root) if path.parts[0] != ".git"}


def recorded(service: Path) -> Answers:
    answers: Answers = yaml.safe_load((service / ".copier-answers.yml").read_text(encoding="utf-8"))
    return answers


def as_migrated(answers: Answers, version: str) -> Answers:
    """Return recorded *answers* under the names that their questions have now."""
    names = renamed_answers(crossed_from(version))
    return {
        names.get(name, name): value for name, value in answers.items() if not name.startswith("_")
    }


def service_of(version: str, example: str, releases: Path, folder: Path) -> Path:
    """Render an example as it was at a release, with that release."""
    answers = yaml.safe_load(released(version, example))
    service = folder / "service"
    run_copy(str(releases), service, data=answers, vcs_ref=version, defaults=True, quiet=True)
    commit(service, "Service")
    return service


def update(service: Path, *, trust: bool) -> None:
    """Update by Copier within this process, which compiles each template once for all updates."""
    # It took its environment, and so git's, before this suite decided on one.
    with local.env(**os.environ):
        run_update(service, vcs_ref=NEXT, defaults=True, overwrite=True, quiet=True, unsafe=trust)

    assert unmerged_paths(service) == ""
    marked = run(["git", "grep", "--untracked", "-e", "^<<<<<<< "], cwd=service)
    assert marked.stdout == ""


@pytest.mark.service
@pytest.mark.parametrize(("version", "example"), [*each_example()])
def test_an_update_from_a_release_is_a_new_service(
    version: str, example: str, releases: Path, tmp_path: Path
) -> None:
    """No conflict; the template's files are a fresh rendering's, the team's are untouched.

    The fresh rendering is one of the stored answers, so each of them is valid, and arrives.
    """
    service = service_of(version, example, releases, tmp_path)
    before, answers = contents(service), as_migrated(recorded(service), version)

    update(service, trust=bool(crossed_from(version)))

    fresh = tmp_path / "fresh"
    run_copy(str(releases), fresh, data=answers, vcs_ref=NEXT, defaults=True, quiet=True)
    assert recorded(fresh).items() >= answers.items()
    assert contents(service) == {
        path: before.get(path, data) if owners(path) == ["team"] else data
        for path, data in contents(fresh).items()
    }


def newest_migrated() -> str:
    """Return the latest release from which an update crosses a migration."""
    return [version for version in RELEASES if crossed_from(version)][-1]


@pytest.mark.service
def test_an_update_across_a_migration_needs_trust(releases: Path, tmp_path: Path) -> None:
    """Without it Copier exits 4 and the service is as it was; with it, it is current for good."""
    service = service_of(newest_migrated(), "examples/churn.yml", releases, tmp_path)
    before = contents(service)

    untrusted = run(
        [BIN / "copier", "update", "--quiet", "--defaults", "--vcs-ref", NEXT], cwd=service
    )

    assert untrusted.returncode == 4
    assert contents(service) == before
    assert git("status", "--porcelain", cwd=service) == ""

    update(service, trust=True)
    commit(service, "Update")
    after = contents(service)
    update(service, trust=False)

    assert contents(service) == after
    assert git("status", "--porcelain", cwd=service) == ""


@pytest.mark.parametrize("version", RELEASES)
def test_a_release_is_a_commit_of_this_history(version: str) -> None:
    """Its commit came before this one, and calls itself by its version."""
    sha = commit_of(version)

    earlier = run(["git", "merge-base", "--is-ancestor", sha, "HEAD"], cwd=ROOT)

    assert earlier.returncode == 0
    assert declared_version(released(version, "pyproject.toml")) == Version(version)


def listed(default: str, differing: str | None = None) -> set[str]:
    """Return the file list that tests/expected records of a variant, those of models apart."""
    found = set(default.splitlines())
    for line in (differing or "").splitlines():
        sign, path = line.split(" ", 1)
        (found.add if sign == "+" else found.discard)(path)
    return {path for path in found if not is_named_by_an_answer(path)}


def is_named_by_an_answer(path: str) -> bool:
    folder, _, name = path.removeprefix("src/<package>/").rpartition("/")
    return f"{folder}/" in NAMED_BY_ANSWERS and name != "__init__.py"


def gone_paths(version: str) -> set[str]:
    """Return the paths that some variant had at a release, and has no more."""
    usual = released(version, "tests/expected/defaults.files")
    usual_now = (EXPECTED / "defaults.files").read_text(encoding="utf-8")
    gone = listed(usual) - listed(usual_now)
    for path in released_files(version, "tests/expected"):
        now = EXPECTED / Path(path).name
        if now.exists() and now.stem != "defaults":
            then = listed(usual, released(version, path))
            gone |= then - listed(usual_now, now.read_text(encoding="utf-8"))
    return gone


def unaccounted(version: str, crossed: list[Migration]) -> dict[str, set[str]]:
    """Return the paths and questions that are gone since a release, and in no migration."""
    moved = {path.replace("{{ package }}", "<package>") for path in moved_paths(crossed)}
    asked = {name for name in yaml.safe_load(released(version, "copier.yml")) if name[0] != "_"}
    return {
        "paths": gone_paths(version) - moved,
        "questions": asked - QUESTIONS.keys() - renamed_answers(crossed).keys(),
    }


@pytest.mark.parametrize("version", RELEASES)
def test_what_is_gone_since_a_release_has_a_migration(version: str) -> None:
    """No file or question disappears without what saves a team's edits and answers."""
    assert unaccounted(version, crossed_from(version)) == {"paths": set(), "questions": set()}


def test_what_is_gone_without_a_migration_is_found() -> None:
    """Take the migrations away, and the first release misses what the third renamed."""
    assert unaccounted("v0.2.0", []) == {
        "paths": {".github/workflows/template.yml"},
        "questions": {"team_contact"},
    }


def test_a_moved_file_is_where_its_migration_says() -> None:
    """Edits follow to a path that services have: elsewhere each would be a conflict."""
    recorded = "".join(path.read_text() for path in EXPECTED.glob("*.files"))
    there = {line.removeprefix("+ ") for line in recorded.splitlines()}
    targets = {
        migration.arguments[n + 2].replace("{{ package }}", "<package>")
        for migration in migrations()
        for n, flag in enumerate(migration.arguments)
        if flag == "--moved"
    }

    assert targets
    assert targets - there == set()


def test_no_migration_is_of_a_version_to_come() -> None:
    """An entry for a later version than the next would be run by nobody's update."""
    later = [m for m in migrations() if Version(m.version) > Version(NEXT)]

    assert later == []
