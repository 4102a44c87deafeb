"""Moving an update into a service's work tree so that nothing of it can be half done for good.

Everything is staged beside the journal first, within the repository's git folder. Once the
journal is there, the update will be: whoever comes next, after a kill or a full disk, finishes it.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from errno import EXDEV
from pathlib import Path

from stampede.errors import AwaitsPersonError
from stampede.outcomes import Change
from stampede.places import ANSWERS_FILE, Place, hash_of

NOTE = "journal.json"


@dataclass(frozen=True)
class Step:
    """One file, and the hashes of its content before and after; None where there is none."""

    letter: str
    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Journal:
    """An update that is being written."""

    target: str
    steps: tuple[Step, ...]
    stages: Mapping[str, Sequence[str]]
    """What git's index shall hold of the files in conflict."""
    message: str = ""
    """Of the commit, if there shall be one."""

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(Change(step.letter, step.path) for step in self.steps if step.letter)


def read(place: Place) -> Journal | None:
    """Return the journal that an interrupted apply has left, if one has."""
    try:
        note = json.loads((place.journal / NOTE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    steps = tuple(Step(**step) for step in note.pop("steps"))
    return Journal(steps=steps, **note)


def stage(place: Place, journal: Journal, new: Path) -> None:
    """Write the journal, with all that it needs; nothing of the service is touched yet."""
    staging = place.journal.with_name(f"{place.journal.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(place.journal, ignore_errors=True)
    try:
        (staging / "files").mkdir(parents=True)
        for step in journal.steps:
            if step.new is not None:
                target = staging / "files" / step.path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(new / step.path, target, follow_symlinks=False)
        (staging / NOTE).write_text(json.dumps(asdict(journal)))
        staging.rename(place.journal)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def finish(place: Place, journal: Journal) -> None:
    """Write what is not written yet.

    Raises:
        AwaitsPersonError: A file is neither as it was nor as it shall be: a person has edited it.
    """
    for step in journal.steps:
        if hash_of(place.folder / step.path) not in {step.old, step.new}:
            message = f"an apply was interrupted, and {step.path} has been edited since"
            undo = f"put it back (git checkout -- {step.path}), and apply again"
            raise AwaitsPersonError(f"{message}: {undo}")
    for step in journal.steps:
        if step.new is None:
            _delete(place.folder, step.path)
    # The answers file comes last: it says which version a service is at.
    for step in sorted(journal.steps, key=lambda step: step.path == ANSWERS_FILE):
        staged = place.journal / "files" / step.path
        if step.new is not None and (staged.is_symlink() or staged.exists()):
            _move(staged, place.folder / step.path)


def close(place: Place) -> None:
    shutil.rmtree(place.journal)
    with suppress(OSError):
        place.journal.parent.rmdir()


def _delete(folder: Path, path: str) -> None:
    """Delete a file, and the folders that are empty without it, as git does."""
    file = folder / path
    file.unlink(missing_ok=True)
    with suppress(OSError):  # Not empty.
        while (file := file.parent) != folder:
            file.rmdir()


def _move(staged: Path, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        staged.replace(file)
    except OSError as error:
        if error.errno != EXDEV:
            raise
        # The git folder is on another file system than the work tree.
        beside = file.with_name(f".{file.name}.stampede")
        shutil.copy2(staged, beside, follow_symlinks=False)
        beside.replace(file)
