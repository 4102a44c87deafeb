"""Where a service is: a repository of its own, or a folder of a larger one."""

import os
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from typing import Any

import yaml

from stampede.errors import AwaitsPersonError, ProcessError, StampedeError
from stampede.processes import git, git_succeeds

ANSWERS_FILE = ".copier-answers.yml"
NO_REPOSITORY = "not a git repository"


@dataclass(frozen=True)
class Place:
    """A service's folder and the repository that keeps it, if one does."""

    folder: Path
    top: Path | None = None
    prefix: str = ""
    """The folder within `top`; empty if it is the same."""
    journal: Path = field(default=Path(os.devnull))
    """Where an update that is being written notes itself."""
    branch: str | None = None
    head: str | None = None
    """The commit to start from; None if a branch is asked for and there is no commit yet."""

    @property
    def lock(self) -> Path:
        """What to hold while the repository's index or branches change."""
        return self.journal.parent.with_suffix(".lock")

    @property
    def pathspec(self) -> str:
        return self.prefix or "."

    def file(self, name: str) -> bytes | None:
        """Return a file of the service, from the branch if one is asked for."""
        if self.branch and self.top:
            if self.head is None:
                return None
            path = f"{self.head}:{os.path.join(self.prefix, name)}"  # noqa: PTH118 - git's, not a file's.
            try:
                return git("cat-file", "blob", path, cwd=self.top).encode(
                    "utf-8", "surrogateescape"
                )
            except ProcessError:
                return None
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def recorded(self) -> dict[str, Any] | None:
        """Return what Copier recorded of the service; None if there is no service.

        Raises:
            StampedeError: The answers file is none.
        """
        data = self.file(ANSWERS_FILE)
        if data is None:
            return None
        try:
            recorded = yaml.load(data, Loader=yaml.CSafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise StampedeError(f"{ANSWERS_FILE} is no YAML: {error}") from error
        if not isinstance(recorded, dict):
            raise StampedeError(f"{ANSWERS_FILE} holds no answers")
        return recorded

    def tree(self) -> str:
        """Return the service's tree in the commit to start from.

        Raises:
            AwaitsPersonError: It is not committed.
        """
        try:
            return git(
                "rev-parse", "--verify", f"{self.head}:{self.prefix}", cwd=self._top()
            ).strip()
        except ProcessError as error:
            message = "is not committed, so that an update could not be undone: commit it first"
            raise AwaitsPersonError(message) from error

    def changed(self) -> list[str]:
        """Return what a person has changed and not committed; not what git ignores."""
        arguments = ("status", "--porcelain", "-z", "--untracked-files=all", "--", self.pathspec)
        return [entry[3:] for entry in git(*arguments, cwd=self._top()).split("\0") if entry]

    def unmerged(self) -> bool:
        """Tell whether conflicts are left to resolve."""
        return bool(self.top and git("ls-files", "--unmerged", "--", ".", cwd=self.folder))

    def _top(self) -> Path:
        if self.top is None:
            message = "is in no git repository: run `git init` there and commit it"
            raise AwaitsPersonError(message)
        return self.top


def find(folder: Path, branch: str | None = None) -> Place:
    """Find out where a service is, or would be.

    A new folder that its surrounding repository ignores is in none.
    """
    found = _repository(folder)
    if found is None:
        return Place(folder)
    top, notes = found
    prefix = Path(os.path.realpath(folder)).relative_to(top).as_posix()
    prefix = "" if prefix == "." else prefix
    is_new = not (folder / ANSWERS_FILE).exists()
    if prefix and is_new and git_succeeds("check-ignore", "--quiet", "--", folder, cwd=top):
        return Place(folder)
    journal = notes / (prefix.replace("%", "%25").replace("/", "%2F") or "%2E")
    return Place(folder, top, prefix, journal, branch, _head(top, branch) if branch else "HEAD")


def _repository(folder: Path) -> tuple[Path, Path] | None:
    """Return the top of the repository that a folder is in, and where its notes belong."""
    if (folder / ".git/HEAD").is_file():
        # Most services, and no need to ask git, of a hundred that are up to date.
        return Path(os.path.realpath(folder)), folder / ".git/stampede"
    while not folder.is_dir():
        folder = folder.parent
    try:
        asked = ("--show-toplevel", "--git-path", "stampede")
        answer = git("rev-parse", "--path-format=absolute", *asked, cwd=folder)
    except ProcessError as error:
        if NO_REPOSITORY in str(error) or "must be run in a work tree" in str(error):
            return None
        raise
    top, notes = (Path(line) for line in answer.splitlines())
    return top, notes


def _head(top: Path, branch: str) -> str | None:
    for ref in (f"refs/heads/{branch}", "HEAD"):
        try:
            return git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", cwd=top).strip()
        except ProcessError:
            continue
    return None


def hash_of(file: Path) -> str | None:
    """Return git's name for the content of *file*; None if there is no such file."""
    if file.is_symlink():
        content = os.fsencode(file.readlink())
    elif file.is_file():
        content = file.read_bytes()
    else:
        return None
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
