"""Whose a file is: the template's, which updates rewrite, or the team's, which they never touch."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pathspec import PathSpec
from support.renderings import Rendering
from support.repositories import copier, copy
from support.variants import VARIANTS

# Both lists are spelled out, in the pattern language of Copier's own globs, so that a new file
# that nobody thought about belongs to nobody, and fails.
TEAMS = [
    "/src/*/predictors/*.py",
    "/src/*/routers/*.py",
    "/training/*.py",
    "/tests/team/**",
    "/deploy/overlays/**",
    "/.gitlab-ci.team.yml",
    "/CHANGELOG.md",
    "/docs/team/**",
]
TEMPLATES = [
    "/.copier-answers.yml",
    "/.dockerignore",
    "/.editorconfig",
    "/.github/**",
    "/.gitignore",
    "/.gitlab-ci.yml",
    "/.pre-commit-config.yaml",
    "/Dockerfile*",
    "/Makefile",
    "/README.md",
    "/deploy/base/**",
    "/deploy/components/**",
    "/deploy/*.sh",
    "/docs/*",
    "/gunicorn.conf.py",
    "/pyproject.toml",
    "/renovate.json",
    "/src/*/*",
    "/src/*/contracts/**",
    "/src/*/serving/**",
    "/tests/*.py",
    "/tests/e2e/**",
    "/tests/faults/**",
    "/tests/load/**",
    "/tests/service/**",
]
OWNERS = {
    "team": PathSpec.from_lines("gitignore", TEAMS),
    "template": PathSpec.from_lines("gitignore", TEMPLATES),
}
SCRIBBLE = b"somebody wrote here\n"


def owners(path: Path) -> list[str]:
    return [owner for owner, patterns in OWNERS.items() if patterns.match_file(path.as_posix())]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in VARIANTS]
)
def test_every_file_has_one_owner(name: str, rendered: Callable[[str], Rendering]) -> None:
    """A whole file belongs to the template or to the team, never to both or to neither."""
    found = {path: owners(path) for path in rendered(name).files()}

    assert {path: owner for path, owner in found.items() if len(owner) != 1} == {}


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
