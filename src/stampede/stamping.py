"""One service, computed in a scratch folder: what `plan` shows, and what `apply` moves in.

Nothing here writes outside the scratch folder.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any

from stampede import rendering
from stampede.errors import AwaitsPersonError, Finding, StampedeError
from stampede.losses import Attempt
from stampede.orders import Options, Order
from stampede.outcomes import Change, Outcome, State
from stampede.places import ANSWERS_FILE, Place, hash_of
from stampede.processes import git_succeeds
from stampede.questions import Resolved, questionnaire
from stampede.releases import Release, is_at
from stampede.rendering import Version
from stampede.trees import EMPTY_TREE, Entry, Trees


@dataclass(frozen=True)
class Stamped:
    """What became of an order in the scratch folder."""

    outcome: Outcome
    place: Place
    trees: Trees | None = None
    """Of an update: the service as it was is HEAD, the work tree is the service as it shall be."""
    folder: Path | None = None
    """The service as it shall be; None if nothing is to be done."""


def resolve(order: Order) -> tuple[Resolved, tuple[Finding, ...]]:
    """Answer all questions of a service, and say what is wrong with its answers."""
    service = order.service
    questions = questionnaire(order.release.files)
    resolved = questions.resolve(service.path, service.answers, order.defaults)
    findings = []
    for problem in resolved.problems:
        places = service.places if problem.question in service.answers else order.places
        place = places.get(problem.question, service.places[""])
        found = Finding(place, service.label, problem.question, problem.value, problem.rule)
        findings.append(found)
    return resolved, tuple(findings)


def outcome_of(order: Order, state: State, **more: Any) -> Outcome:  # noqa: ANN401 - as Outcome says.
    target = order.release.commit
    return Outcome(order.service.label, order.service.name, state, target=target, **more)


def stamp(order: Order, place: Place, scratch: Path) -> Stamped:
    """Compute what *order* makes of its service.

    Raises:
        AwaitsPersonError: Its folder is in a state that an update must not touch.
        NeedsTrustError: The template would run code.
        StampedeError: Anything else that stands in the way.
    """
    resolved, findings = resolve(order)
    if findings:
        message = "the answers are refused"
        return Stamped(outcome_of(order, State.FAILED, message=message, findings=findings), place)
    recorded = place.recorded()
    if recorded is None:
        return _create(order, place, resolved, scratch)
    version = str(recorded.get("_commit"))
    if not place.branch and place.unmerged():
        message = "conflicts are left: resolve them, `git add` the files, and commit"
        found = outcome_of(order, State.CONFLICT, version=version, message=message)
        return Stamped(found, place)
    if is_current(recorded, order.release, resolved):
        return Stamped(outcome_of(order, State.CURRENT, version=version), place)
    return _update(order, place, recorded, resolved, scratch)


def is_current(recorded: Mapping[str, Any], release: Release, resolved: Resolved) -> bool:
    """Tell whether what Copier recorded of a service is what it would record now."""
    was = {key: value for key, value in recorded.items() if key != "_commit"}
    wanted = {"_src_path": release.repository.source} | resolved.recorded
    return was == wanted and is_at(recorded.get("_commit"), release)


def _create(order: Order, place: Place, resolved: Resolved, scratch: Path) -> Stamped:
    folder = place.folder
    taken = folder.is_symlink() or (folder.exists() and not _is_empty(folder))
    taken = taken or any(parent.exists() and not parent.is_dir() for parent in folder.parents)
    if taken and not place.branch:
        raise AwaitsPersonError(f"{folder} exists, and has no {ANSWERS_FILE}: move it away")
    new = scratch / folder.name
    release = order.release
    version = Version(release.repository.source, release.tag)
    rendering.copy(version, new, resolved.answers, trust=order.options.trust)
    if not (new / ANSWERS_FILE).is_file():
        raise StampedeError(f"the template writes no {ANSWERS_FILE}, so nothing could be updated")
    files = sorted(path for path in new.rglob("*") if path.is_symlink() or not path.is_dir())
    changes = tuple(Change("A", path.relative_to(new).as_posix()) for path in files)
    diff = ""
    if order.options.diff:
        trees = Trees.make(scratch / "diff")
        diff = trees.diff(EMPTY_TREE, trees.store(new))
    found = outcome_of(order, State.CREATE, changes=changes, diff=diff)
    return Stamped(found, place, folder=new)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _update(
    order: Order, place: Place, recorded: Mapping[str, Any], resolved: Resolved, scratch: Path
) -> Stamped:
    base = place.tree()
    if not place.branch and (changed := place.changed()):
        names = ", ".join(changed[:3]) + (", ..." if changed[3:] else "")
        raise AwaitsPersonError(f"has changes that are not committed ({names}): commit them first")
    trees = Trees.make(scratch / place.folder.name, place.top)
    trees.commit(base)
    _settle_source(order.release, recorded, trees)
    rendering.update(trees.folder, order.release.tag, resolved.answers, trust=order.options.trust)
    unmerged = trees.unmerged()
    old, new = trees.entries(base), trees.entries(trees.store(trees.folder))
    changes = _changes(old, new, set(unmerged))
    if not place.branch:
        _refuse_hidden_files(place.folder, changes, trees.folder)
    attempt = Attempt(order, recorded, resolved, trees, scratch)
    lost = attempt.lost(old, new, set(unmerged))
    state = State.LOSES_EDITS if lost else State.CONFLICT if unmerged else State.UPDATE
    found = outcome_of(
        order,
        state,
        version=str(recorded["_commit"]),
        changes=changes,
        lost=lost,
        message=_advice(state, order.options),
        diff=trees.diff(base, trees.store(trees.folder)) if order.options.diff else "",
    )
    return Stamped(found, place, trees, trees.folder)


def _settle_source(release: Release, recorded: Mapping[str, Any], trees: Trees) -> None:
    """Let the update start from the fleet's template, wherever the service came from before.

    Raises:
        StampedeError: The fleet's template does not know the version that the service is at.
    """
    source = release.repository.source
    version = recorded.get("_commit")
    known = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{version}^{{commit}}")
    if not version or not git_succeeds(*known, cwd=release.repository.folder):
        raise StampedeError(f"is at version {version}, which {source} does not have")
    if recorded.get("_src_path") != source:
        file = trees.folder / ANSWERS_FILE
        line = f"_src_path: {dumps(source)}"
        file.write_text(re.sub(r"(?m)^_src_path:.*$", lambda _: line, file.read_text()))
        trees.commit_all()


def _changes(
    old: Mapping[str, Entry], new: Mapping[str, Entry], unmerged: set[str]
) -> tuple[Change, ...]:
    letters = {}
    for path in old.keys() | new.keys():
        if path in unmerged:
            letters[path] = "C"
        elif path not in new:
            letters[path] = "D"
        elif path not in old:
            letters[path] = "A"
        elif old[path] != new[path]:
            letters[path] = "M"
    return tuple(Change(letters[path], path) for path in sorted(letters))


def _refuse_hidden_files(folder: Path, changes: tuple[Change, ...], new: Path) -> None:
    """Refuse to write over a file that git does not know: nobody could bring it back."""
    for change in changes:
        file = folder / change.path
        hidden = change.letter == "A" and file.exists()
        if hidden and hash_of(file) != hash_of(new / change.path):
            message = f"has a {change.path} that git ignores, where the template brings one"
            raise AwaitsPersonError(f"{message}: move it away")


def _advice(state: State, options: Options) -> str:
    if state is State.LOSES_EDITS and not options.force:
        return "files with edits of the team's would go: move the edits, or give --force"
    if state is State.CONFLICT and (options.commit or options.branch):
        return (
            "conflicts are not committed: apply it without --commit and --branch, and resolve them"
        )
    return ""
