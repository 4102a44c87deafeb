"""How a service differs from what it was stamped from, and from what it would be stamped from."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stampede import releases, rendering
from stampede.errors import shown
from stampede.orders import Order
from stampede.outcomes import Change, Difference
from stampede.places import ANSWERS_FILE, hash_of
from stampede.questions import Resolved, questionnaire
from stampede.rendering import Version


def differences(
    order: Order, recorded: Mapping[str, Any], resolved: Resolved
) -> tuple[Difference, ...]:
    """Return the answers, and the source, that are not what the fleet file wants."""
    was = {key: value for key, value in recorded.items() if key != "_commit"}
    wanted = {"_src_path": order.release.repository.source} | resolved.recorded
    return tuple(
        Difference(
            key,
            shown(was[key]) if key in was else None,
            shown(wanted[key]) if key in wanted else None,
        )
        for key in sorted(was.keys() | wanted.keys())
        if key not in was or key not in wanted or was[key] != wanted[key]
    )


def edits(order: Order, recorded: Mapping[str, Any], shelf: Path) -> tuple[Change, ...]:
    """Return the files of the template's that are not as it wrote them at the recorded version.

    Raises:
        StampedeError: The template does not have that version, or refuses the recorded answers.
    """
    repository, version = order.release.repository, str(recorded.get("_commit"))
    folder = order.service.path
    answers = {key: value for key, value in recorded.items() if not key.startswith("_")}
    release = releases.check_out(repository, version, shelf)
    is_the_teams = questionnaire(release.files).owner(folder, answers)
    with TemporaryDirectory(dir=shelf, ignore_cleanup_errors=True) as scratch:
        fresh = Path(scratch) / folder.name
        at = Version(repository.source, version)
        rendering.copy(at, fresh, answers, trust=order.options.trust, tasks=False)
        found = []
        for path in sorted(fresh.rglob("*")):
            name = path.relative_to(fresh)
            written = hash_of(path)
            if written is None or is_the_teams(name) or name.as_posix() == ANSWERS_FILE:
                continue
            now = hash_of(folder / name)
            if now != written:
                found.append(Change("M" if now else "D", name.as_posix()))
    return tuple(found)
