"""From every release to this checkout: each example's service arrives as if it were new."""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
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
    released_examples,
    renamed_answers,
    repository,
)
from support.repositories import ROOT, commit, git, unmerged_paths
from support.texts import files
from support.variants import QUESTIONS, Answers

EXPECTED = Path(__file__).parent / "expected"

Contents = dict[Path, bytes]


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("releases") / "template")


def each_example() -> Iterator[Any]:
    """Yield each release with each example that it had; one example's stay on one worker."""
    for version in RELEASES:
        for path in released_examples(version):
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
    render(releases, version, answers, service)
    commit(service, "Service")
    return service


def render(releases: Path, version: str, answers: Answers, folder: Path) -> Path:
    run_copy(str(releases), folder, data=answers, vcs_ref=version, defaults=True, quiet=True)
    return folder


def unaccounted(before: Contents, after: Contents, crossed: list[Migration]) -> set[str]:
    """Return the paths that the same answers gave once and give no more, but for those moved.

    A team's file may not be gone at all.
    """
    gone = before.keys() - after.keys()
    moved = [re.sub(r"\{\{ \w+ }}", "*", path) for path in moved_paths(crossed)]
    return {
        path.as_posix()
        for path in gone
        if owners(path) == ["team"] or not any(fnmatch(path.as_posix(), to) for to in moved)
    }


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

    The fresh rendering is one of the stored answers, so each of them is valid, and arrives. What
    the release had and it has not is in a migration, which saves a team's edits.
    """
    service = service_of(version, example, releases, tmp_path)
    before, answers = contents(service), as_migrated(recorded(service), version)

    update(service, trust=bool(crossed_from(version)))

    fresh = render(releases, NEXT, answers, tmp_path / "fresh")
    assert recorded(fresh).items() >= answers.items()
    assert contents(service) == {
        path: before.get(path, data) if owners(path) == ["team"] else data
        for path, data in contents(fresh).items()
    }
    assert unaccounted(before, contents(fresh), crossed_from(version)) == set()


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


def test_a_file_that_is_gone_without_a_migration_is_found(releases: Path, tmp_path: Path) -> None:
    """Take the migrations away, and the second release misses a file that the third renamed."""
    service = service_of("v0.2.0", "examples/churn.yml", releases, tmp_path)
    answers = as_migrated(recorded(service), "v0.2.0")

    fresh = render(releases, NEXT, answers, tmp_path / "fresh")

    before, after, renamed = contents(service), contents(fresh), ".github/workflows/template.yml"
    assert renamed in unaccounted(before, after, [])
    assert renamed not in unaccounted(before, after, crossed_from("v0.2.0"))


def gone_questions(version: str) -> set[str]:
    asked = {name for name in yaml.safe_load(released(version, "copier.yml")) if name[0] != "_"}
    return asked - QUESTIONS.keys()


@pytest.mark.parametrize("version", RELEASES)
def test_a_question_that_is_gone_since_a_release_has_a_migration(version: str) -> None:
    """No answer is dropped without a word."""
    assert gone_questions(version) - renamed_answers(crossed_from(version)).keys() == set()


def test_a_question_that_is_gone_without_a_migration_is_found() -> None:
    """What the second release asked, and the third asks by another name, is told from the rest."""
    assert gone_questions("v0.1.0") < gone_questions("v0.2.0")


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
