"""The template's releases: one copy of its repository, and the files of each version in use."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from packaging.version import InvalidVersion, Version
from platformdirs import user_cache_path

from stampede.errors import ProcessError, SourceError
from stampede.fleet import LATEST
from stampede.locks import locked
from stampede.processes import git, git_succeeds

# A template is small; a server that needs longer for it does not answer, as far as a person minds.
SECONDS = float(os.environ.get("STAMPEDE_TIMEOUT_SECONDS", "60"))


@dataclass(frozen=True)
class Repository:
    """A template's repository on this machine."""

    source: str
    """What Copier records."""
    url: str
    """What Copier makes of it for git."""
    folder: Path
    """What git reads instead: a mirror, or the folder that the source names."""

    @property
    def is_mirror(self) -> bool:
        return Path(self.url) != self.folder


@dataclass(frozen=True)
class Release:
    """One version of a template."""

    repository: Repository
    tag: str
    commit: str
    """How Copier records it: `git describe`, which may prefer another tag of the same commit."""
    sha: str
    files: Path


def fetch(source: str, url: str | None) -> Repository:
    """Bring the template to this machine, or up to date.

    Raises:
        SourceError: It is no repository, or does not answer.
    """
    if url is None:
        hint = (
            "put git+ before the URL, or .git at its end"
            if ":" in source
            else "is it there, and yours?"
        )
        raise SourceError(f"the template {source} is no git repository: {hint}")
    if Path(url).is_absolute():
        return Repository(source, url, Path(url))
    name = sha256(url.encode()).hexdigest()[:16]
    mirror = user_cache_path("stampede") / f"{name}.git"
    mirror.parent.mkdir(parents=True, exist_ok=True)
    with locked(mirror.with_suffix(".lock")):
        try:
            _refresh(url, mirror)
        except ProcessError as error:
            message = f"the template {source} does not answer: {error}. Nothing was changed."
            raise SourceError(message) from error
    return Repository(source, url, mirror)


def is_at(commit: object, release: Release) -> bool:
    """Tell whether what Copier recorded as a commit is that of a release, by whatever name."""
    if commit == release.commit:
        return True
    named = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    folder = release.repository.folder
    return git_succeeds(*named, cwd=folder) and git(*named, cwd=folder).strip() == release.sha


def _refresh(url: str, mirror: Path) -> None:
    whole = (mirror / "HEAD").exists() and git_succeeds("rev-parse", "--git-dir", cwd=mirror)
    if whole:
        git("remote", "update", "--prune", cwd=mirror, seconds=SECONDS)
        return
    shutil.rmtree(mirror, ignore_errors=True)
    staging = Path(mkdtemp(dir=mirror.parent, prefix="clone."))
    try:
        arguments = ("clone", "--quiet", "--mirror", "--", url, staging / "git")
        git(*arguments, cwd=staging, seconds=SECONDS)
        (staging / "git").rename(mirror)
    finally:
        shutil.rmtree(staging)


def tag_of(repository: Repository, version: str) -> str:
    """Return the tag that *version* means; for `latest` the last release, or HEAD without one.

    Raises:
        SourceError: There is none.
    """
    tags = {tag: _parsed(tag) for tag in git("tag", cwd=repository.folder).split()}
    if version != LATEST:
        if tags.get(version) is None:
            known = ", ".join(_latest_first(tags)[:5]) or "none"
            message = (
                f"{version} is no release of the template {repository.source} (known: {known})"
            )
            raise SourceError(message)
        return version
    released = {tag: parsed for tag, parsed in tags.items() if parsed and not parsed.is_prerelease}
    if not released:
        # As Copier does; by its name, since of a local HEAD Copier takes uncommitted changes along.
        return git("rev-parse", "HEAD", cwd=repository.folder).strip()
    return _latest_first(released)[0]


def _parsed(tag: str) -> Version | None:
    try:
        return Version(tag)
    except InvalidVersion:
        return None


def _latest_first(tags: Mapping[str, Version | None]) -> list[str]:
    versions = [(parsed, tag) for tag, parsed in tags.items() if parsed]
    return [tag for _, tag in sorted(versions, reverse=True)]


def check_out(repository: Repository, ref: str, shelf: Path) -> Release:
    """Return the release that *ref* names, with its files in a folder of *shelf*.

    Raises:
        SourceError: The repository has no such commit.
    """
    try:
        sha = git(
            "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}", cwd=repository.folder
        )
    except ProcessError as error:
        raise SourceError(f"the template {repository.source} has no {ref}") from error
    sha = sha.strip()
    commit = git("describe", "--tags", "--always", sha, cwd=repository.folder).strip()
    files = shelf / sha
    if not files.exists():
        staging = Path(mkdtemp(dir=shelf, prefix="checkout."))
        clone = ("clone", "--quiet", "--shared", "--no-checkout", "--", repository.folder, ".")
        git(*clone, cwd=staging)
        git("checkout", "--quiet", "--detach", sha, cwd=staging)
        shutil.rmtree(staging / ".git")
        try:
            staging.rename(files)
        except OSError:  # Another worker was first.
            shutil.rmtree(staging)
    return Release(repository, ref, commit, sha, files)
