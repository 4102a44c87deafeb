"""Copier's public functions, called the one way that a fleet is stamped with."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from copier import Settings, run_copy, run_update
from copier.errors import CopierError, UnsafeTemplateError
from jinja2 import TemplateError
from plumbum import ProcessExecutionError, local

from stampede import gitenv
from stampede.errors import LONGEST_RULE, StampedeError, shortened
from stampede.releases import Repository

# A person's settings hold defaults and trust, which must decide nothing about a fleet.
NO_SETTINGS = Settings()


class NeedsTrustError(StampedeError):
    """The template wants to run commands, which nobody has allowed."""

    exit_code = 3


@dataclass(frozen=True)
class Version:
    """A template and the tag, or the commit, to take of it."""

    source: str
    ref: str


def copy(
    version: Version, folder: Path, answers: Mapping[str, Any], *, trust: bool, tasks: bool = True
) -> None:
    """Render *version* into a new *folder*.

    Raises:
        NeedsTrustError: It has tasks, and *trust* is not given.
        StampedeError: Copier refuses, in its own words.
    """
    with _in_our_words():
        run_copy(
            version.source,
            folder,
            dict(answers),
            vcs_ref=version.ref,
            settings=NO_SETTINGS,
            defaults=True,
            overwrite=True,
            quiet=True,
            unsafe=trust,
            skip_tasks=not tasks,
        )


def update(folder: Path, ref: str, answers: Mapping[str, Any], *, trust: bool) -> None:
    """Update the service in *folder* to *ref* of the template that it names, conflicts inline.

    Raises:
        NeedsTrustError: The way there has a migration, and *trust* is not given.
        StampedeError: Copier refuses, in its own words.
    """
    with _in_our_words():
        run_update(
            folder,
            dict(answers),
            vcs_ref=ref,
            settings=NO_SETTINGS,
            defaults=True,
            overwrite=True,
            quiet=True,
            unsafe=trust,
        )


def adopt_environment() -> None:
    """Let Copier start git in this environment, not in the one that it was imported in."""
    local.env.clear()
    local.env.update(os.environ)


@lru_cache(maxsize=1)
def read_from(repository: Repository) -> None:
    """Let git read the mirror wherever Copier names the template's own URL."""
    if repository.is_mirror:
        gitenv.configure({f"url.{repository.folder}.insteadOf": repository.url})
    adopt_environment()


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnsafeTemplateError as error:
        features = str(error).splitlines()[0].rpartition(": ")[2].rstrip(".")
        message = f"the template wants to run code ({features}): read it, then give --trust"
        raise NeedsTrustError(message) from error
    except ProcessExecutionError as error:
        lines = str(error.stderr).strip().splitlines() or [str(error)]
        raise StampedeError(f"Copier: {shortened(lines[-1], LONGEST_RULE)}") from error
    except (CopierError, TemplateError, ValueError, TypeError) as error:
        raise StampedeError(f"Copier: {shortened(str(error), LONGEST_RULE)}") from error
