"""Whose each file of a service is: exactly one of four owners has it."""

from pathlib import Path

from pathspec import PathSpec

# The lists are spelled out, in the pattern language of Copier's own globs, so that a new file that
# nobody thought about belongs to nobody, and fails.
PATTERNS = {
    # Written once, never touched again.
    "team": [
        "/src/*/predictors/*.py",
        "/src/*/routers/*.py",
        "/training/*.py",
        "/training/parity/**",
        "/tests/team/**",
        "/deploy/overlays/**",
        "/.gitlab-ci.team.yml",
        "/CHANGELOG.md",
        "/docs/team/**",
    ],
    # Rewritten by every update.
    "template": [
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
        "/renovate.json",
        "/src/*/*",
        "/src/*/contracts/**",
        "/src/*/serving/**",
        "/tests/*.py",
        "/tests/e2e/**",
        "/tests/faults/**",
        "/tests/load/**",
        "/tests/service/**",
    ],
    # The template's, with a place for the team in it that updates merge around.
    "shared": ["/pyproject.toml"],
    # Written by the service's own commands, never by Copier.
    "generated": ["/uv.lock", "/models/**", "/openapi.json"],
}
_SPECS = {owner: PathSpec.from_lines("gitignore", lines) for owner, lines in PATTERNS.items()}


def owners(path: Path) -> list[str]:
    return [owner for owner, spec in _SPECS.items() if spec.match_file(path.as_posix())]
