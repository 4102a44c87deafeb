"""The template that this command came with, or that the command line names."""

import json
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlparse

from stampede import __version__, releases
from stampede.errors import SourceError, UsageError
from stampede.fleet import LATEST
from stampede.processes import git
from stampede.questions import git_url
from stampede.releases import Release


def release(named: str | None, shelf: Path) -> Release:
    """Return the template that `SOURCE@VERSION` names, by default the installed version's.

    Raises:
        UsageError: Nothing is named, and this command does not know where it came from.
        SourceError: There is no such template, or no such version of it.
    """
    source, version = _named(named) if named else _installed()
    repository = releases.fetch(source, git_url(source))
    if named:
        return releases.check_out(repository, releases.tag_of(repository, version), shelf)
    try:
        return releases.check_out(repository, version, shelf)
    except SourceError:
        # A checkout between two releases, as it is committed; of HEAD by that name Copier would
        # take along what is not.
        commit = git("rev-parse", "HEAD", cwd=repository.folder).strip()
        return releases.check_out(repository, commit, shelf)


def _named(text: str) -> tuple[str, str]:
    """Split at the last @, which may also be part of a URL: git@host:path."""
    source, mark, version = text.rpartition("@")
    if not mark or "/" in version or ":" in version:
        source, version = text, LATEST
    if not source or not version:
        raise UsageError(f"--template {text}: must be SOURCE or SOURCE@VERSION")
    return (str(Path(source).resolve()) if Path(source).is_dir() else source), version


def _installed() -> tuple[str, str]:
    told = distribution("stampede").read_text("direct_url.json")
    about = json.loads(told) if told else {}
    url = str(about.get("url", ""))
    if url.startswith("file://"):
        return unquote(urlparse(url).path), f"v{__version__}"
    if "vcs_info" in about:
        return f"git+{url}", str(about["vcs_info"]["commit_id"])
    raise UsageError("this command was not installed from its repository: give --template")
