"""What a worker process does with one service."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stampede import committing, dependencies, journal, places, questions, releases, rendering
from stampede.drift import differences, edits
from stampede.errors import (
    LONGEST_RULE,
    AwaitsPersonError,
    Finding,
    SourceError,
    StampedeError,
    shortened,
)
from stampede.journal import Journal, Step
from stampede.orders import Order
from stampede.outcomes import Outcome, State
from stampede.places import Place, hash_of
from stampede.releases import Release
from stampede.stamping import Stamped, is_current, outcome_of, resolve, stamp
from stampede.trees import Trees

UNFINISHED = "an apply was interrupted here; applying again finishes it"
FINISHED = "finished what an interrupted apply had left"


def prepare(source: str, versions: list[str], shelf: Path) -> dict[str, Release | str]:
    """Bring the template here, and return the release that each version means, or why none."""
    repository = releases.fetch(source, questions.git_url(source))
    found: dict[str, Release | str] = {}
    for version in versions:
        try:
            tag = releases.tag_of(repository, version)
            release = releases.check_out(repository, tag, shelf)
            questions.questionnaire(release.files)
            found[version] = release
        except SourceError as error:
            found[version] = str(error)
    return found


def guarded(function: Callable[[Order, Path], Outcome]) -> Callable[[Order, Path], Outcome]:
    """Make what goes wrong with one service its outcome, and nobody else's."""

    @wraps(function)
    def guard(order: Order, shelf: Path) -> Outcome:
        try:
            rendering.read_from(order.release.repository)
            return function(order, shelf)
        except AwaitsPersonError as error:
            return outcome_of(order, State.DIRTY, message=str(error))
        except rendering.NeedsTrustError as error:
            return outcome_of(order, State.NEEDS_TRUST, message=str(error))
        except StampedeError as error:
            return outcome_of(order, State.FAILED, message=str(error))
        except OSError as error:
            place = error.filename2 or error.filename or order.service.path
            message = f"{place}: {error.strerror}; nothing is lost: mend it, and apply again"
            return outcome_of(order, State.FAILED, message=message)
        except Exception as error:  # noqa: BLE001 - a defect here must not stop the others.
            message = f"unexpected {type(error).__name__}: {shortened(str(error), LONGEST_RULE)}"
            return outcome_of(order, State.FAILED, message=message)

    return guard


@guarded
def lint(order: Order, _shelf: Path) -> Outcome:
    """Tell everything that is wrong with the answers of a service."""
    _, findings = resolve(order)
    state = State.FAILED if findings else State.CURRENT
    return outcome_of(order, state, findings=findings)


def unknown_defaults(
    defaults: Mapping[str, Any], places: Mapping[str, str], used: list[Release]
) -> list[Finding]:
    """Tell which defaults are a question in no version of the template that the fleet uses."""
    findings = []
    asked = [questions.questionnaire(release.files) for release in used]
    for key, value in defaults.items():
        if not any(key in questionnaire.names for questionnaire in asked):
            problem = asked[0].unknown(key, value)
            finding = Finding(places[str(key)], "", problem.question, problem.value, problem.rule)
            findings.append(finding)
    return findings


@guarded
def plan(order: Order, shelf: Path) -> Outcome:
    """Tell what `apply` would do about a service."""
    place = places.find(order.service.path, order.options.branch)
    committing.check(place, commit=order.options.commit)
    if not place.branch and (left := journal.read(place)):
        return _resumed(order, left, UNFINISHED)
    with TemporaryDirectory(dir=shelf, ignore_cleanup_errors=True) as scratch:
        return stamp(order, place, Path(scratch)).outcome


@guarded
def apply(order: Order, shelf: Path) -> Outcome:
    """Do it."""
    place = places.find(order.service.path, order.options.branch)
    committing.check(place, commit=order.options.commit)
    if not place.branch and (left := journal.read(place)):
        commit = _write(place, left)
        return replace(_resumed(order, left, FINISHED), applied=True, commit=commit)
    shutil.rmtree(_beside(place), ignore_errors=True)  # Of an apply that was killed.
    with _scratch(place, shelf) as scratch:
        stamped = stamp(order, place, scratch)
        if stamped.folder is None or not _is_ready(stamped.outcome, order):
            return stamped.outcome
        locked = order.options.lock and _lock(stamped, shelf)
        commit = _move_in(order, stamped, scratch, locked=locked)
        return replace(stamped.outcome, applied=True, locked=locked, commit=commit)


def _resumed(order: Order, left: Journal, message: str) -> Outcome:
    state = State.CONFLICT if left.stages else State.UPDATE
    found = outcome_of(order, state, changes=left.changes, message=message)
    return replace(found, target=left.target)


@contextmanager
def _scratch(place: Place, shelf: Path) -> Iterator[Path]:
    """Make a folder to compute in: for a new service beside it, so that one rename moves it in."""
    if place.branch or place.recorded() is not None:
        with TemporaryDirectory(dir=shelf, ignore_cleanup_errors=True) as scratch:
            yield Path(scratch)
        return
    beside = _beside(place)
    beside.mkdir(parents=True)
    try:
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _beside(place: Place) -> Path:
    return place.folder.with_name(f".{place.folder.name}.stampede")


def _is_ready(outcome: Outcome, order: Order) -> bool:
    options = order.options
    if outcome.state is State.LOSES_EDITS and not options.force:
        return False
    in_conflict = any(change.letter == "C" for change in outcome.changes)
    return not (in_conflict and (options.commit or options.branch))


def _lock(stamped: Stamped, shelf: Path) -> bool:
    """Lock the dependencies if they may have changed, and tell whether the lock did."""
    changed = {change.path: change.letter for change in stamped.outcome.changes}
    if changed.get(dependencies.PROJECT) not in {"A", "M"} or stamped.folder is None:
        return False
    in_repository = (stamped.folder / dependencies.LOCK).exists()
    if not in_repository and (stamped.place.folder / dependencies.LOCK).exists():
        return False  # It is there, but not committed: the person's own.
    return dependencies.lock(stamped.folder, shelf)


def _move_in(order: Order, stamped: Stamped, scratch: Path, *, locked: bool) -> str:
    """Make the service what it is in the scratch folder; return the commit if there is one."""
    place, new = stamped.place, stamped.folder or scratch
    verb = "Update" if stamped.trees else "Stamp"
    message = f"{verb} {order.service.name} to {order.release.commit}"
    if place.top is None:
        commit = committing.begin_repository(new, message)
        new.rename(place.folder)
        return commit
    if order.options.branch:
        trees = stamped.trees or Trees.make(scratch / "objects", place.top)
        return committing.commit_to_branch(place, order.options.branch, trees, new, message)
    if stamped.trees is None:
        new.rename(place.folder)
        return committing.commit(place, message) if order.options.commit else ""
    wanted = _journal(order, stamped, message if order.options.commit else "", locked=locked)
    if wanted.stages:
        committing.send_blobs(stamped.trees, wanted.stages, place)
    journal.stage(place, wanted, new)
    return _write(place, wanted)


def _journal(order: Order, stamped: Stamped, message: str, *, locked: bool) -> Journal:
    new = stamped.folder or Path()
    letters = {change.path: change.letter for change in stamped.outcome.changes}
    if locked:
        letters[dependencies.LOCK] = ""
    steps = tuple(
        Step(
            letter,
            path,
            hash_of(stamped.place.folder / path),
            hash_of(new / path),
        )
        for path, letter in letters.items()
    )
    stages = stamped.trees.unmerged() if stamped.trees else {}
    return Journal(order.release.commit, steps, stages, message)


def _write(place: Place, wanted: Journal) -> str:
    """Write an update whose journal is there; return the commit if there is one."""
    journal.finish(place, wanted)
    committing.mark_conflicts(place, wanted.stages)
    commit = committing.commit(place, wanted.message) if wanted.message else ""
    journal.close(place)
    return commit


@guarded
def status(order: Order, shelf: Path) -> Outcome:
    """Tell how far a service is from what the fleet file wants, and from the template."""
    place = places.find(order.service.path, order.options.branch)
    resolved, findings = resolve(order)
    recorded = place.recorded()
    if recorded is None or findings:
        state = State.FAILED if findings else State.CREATE
        message = "the answers are refused" if findings else "there is no service yet"
        return outcome_of(order, state, message=message, findings=findings)
    current = is_current(recorded, order.release, resolved)
    return outcome_of(
        order,
        State.CURRENT if current else State.UPDATE,
        version=str(recorded.get("_commit")),
        edited=edits(order, recorded, shelf),
        differences=differences(order, recorded, resolved),
    )
