"""Temporary git repositories, and Copier's real command line on them."""

import shutil
from pathlib import Path

import yaml

from support.processes import BIN, run, succeed

ROOT = Path(__file__).parents[2]


def git(*arguments: str, cwd: Path) -> str:
    return succeed(["git", *arguments], cwd=cwd)


def commit(repository: Path, message: str, *, tag: str | None = None) -> None:
    """Commit everything in *repository*, which becomes one if it is none yet."""
    if not (repository / ".git").exists():
        git("init", "--quiet", cwd=repository)
    git("add", "--all", cwd=repository)
    # A checkout may be at the very commit that is taken of it.
    git("commit", "--quiet", "--allow-empty", "--message", message, cwd=repository)
    if tag:
        git("tag", tag, cwd=repository)


def snapshot(destination: Path, *, tag: str) -> Path:
    """Commit the working tree of this checkout, as it is now, to a repository of its own.

    Copier records the commit that it rendered; a dirty checkout would give it one that
    does not exist.
    """
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, destination / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    commit(destination, "Template", tag=tag)
    # Each rendering clones it: one file to link, and to delete, instead of hundreds.
    git("gc", "--quiet", cwd=destination)
    return destination


def copier(*arguments: str | Path, cwd: Path) -> str:
    """Run Copier's command line, which must succeed; never with `--trust`."""
    return succeed([BIN / "copier", *arguments], cwd=cwd, seconds=600)


def copy(template: Path, service: Path, answers: dict[str, object], *, ref: str) -> Path:
    """Render *answers* from a data file, as a pipeline does: no prompts, no trust."""
    data_file = service.with_suffix(".answers.yml")
    data_file.write_text(yaml.safe_dump(answers, allow_unicode=True, sort_keys=False))
    copier(
        "copy",
        "--quiet",
        "--defaults",
        "--data-file",
        data_file,
        "--vcs-ref",
        ref,
        template,
        service,
        cwd=service.parent,
    )
    return service


def unmerged_paths(repository: Path) -> str:
    return run(["git", "diff", "--name-only", "--diff-filter=U"], cwd=repository).stdout
