"""Whose a file is: the template's, which updates rewrite, or the team's, which they never touch."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.ownership import PATTERNS, owners
from support.renderings import Rendering
from support.repositories import copier, copy
from support.variants import QUESTIONS, VARIANTS

SCRIBBLE = b"somebody wrote here\n"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in VARIANTS]
)
def test_every_file_has_one_owner(name: str, rendered: Callable[[str], Rendering]) -> None:
    """A whole file belongs to one owner; and what Copier writes, no command of a service does."""
    found = {path: owners(path) for path in rendered(name).files()}

    wrong = {
        path: owner for path, owner in found.items() if len(owner) != 1 or owner == ["generated"]
    }
    assert wrong == {}


def test_the_team_s_files_are_those_that_copier_skips() -> None:
    """The list that tests go by, and the one that Copier goes by, are one."""
    assert [pattern.lstrip("/") for pattern in PATTERNS["team"]] == QUESTIONS["_skip_if_exists"]


@pytest.mark.parametrize("document", ["README.md", "docs/ownership.md"])
@pytest.mark.parametrize("name", ["defaults", "churn"])
def test_the_service_says_what_is_the_team_s(
    document: str, name: str, rendered: Callable[[str], Rendering]
) -> None:
    """Whoever owns a service reads in it, path by path, what is not the template's."""
    rendering = rendered(name)
    _, _, chapter = rendering.text(document).lower().partition("# what belongs to whom")
    patterns = [pattern for owner in ("team", "shared", "generated") for pattern in PATTERNS[owner]]
    if rendering.variant.answers.get("ci", "gitlab") != "gitlab":
        patterns.remove("/.gitlab-ci.team.yml")

    # A pattern's file or folder, as documents name it.
    paths = [
        pattern[1:].replace("src/*", f"src/{rendering.variant.package}") for pattern in patterns
    ]
    missing = [path for path in paths if f"`{path.partition('*')[0]}`".lower() not in chapter]

    assert paths
    assert missing == []


@pytest.mark.service
def test_copier_rewrites_what_is_the_template_s_and_nothing_else(
    template: Path, tmp_path: Path
) -> None:
    """Rendering again over a service restores the template's files and leaves the team's alone."""
    service = copy(template, tmp_path / "service", {}, ref="HEAD")
    files = Rendering(VARIANTS["defaults"], service).files()
    answers = Path(".copier-answers.yml")
    for path in set(files) - {answers}:
        (service / path).write_bytes(SCRIBBLE)

    copier("recopy", "--quiet", "--defaults", "--overwrite", "--vcs-ref", "HEAD", cwd=service)

    kept = {path for path in files if (service / path).read_bytes() == SCRIBBLE}
    assert kept == {path for path in files if owners(path) == ["team"]}
    assert kept
