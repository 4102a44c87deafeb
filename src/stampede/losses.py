"""Edits that an update loses without a conflict.

Copier deletes what the template no longer has, edited or not; and it applies all edits of a
service as one patch, which git may refuse as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stampede import rendering
from stampede.orders import Order
from stampede.places import ANSWERS_FILE
from stampede.questions import Resolved
from stampede.rendering import Version
from stampede.trees import Entry, Trees


@dataclass(frozen=True)
class Attempt:
    """An update that Copier has done in a scratch folder."""

    order: Order
    recorded: Mapping[str, Any]
    resolved: Resolved
    trees: Trees
    scratch: Path

    def lost(
        self, was: Mapping[str, Entry], now: Mapping[str, Entry], unmerged: set[str]
    ) -> tuple[str, ...]:
        """Return the files whose edits are gone: deleted, or overwritten."""
        touched = {path for path in was if now.get(path) != was[path]} - unmerged - {ANSWERS_FILE}
        if not touched:
            return ()
        before = self._before()
        edited = {path for path in touched if _blob(before, path) != was[path][1]}
        if not edited:
            return ()
        after = self._after()
        arrived = (now.keys() | unmerged) - was.keys()

        def is_lost(path: str) -> bool:
            current, base = was[path][1], _blob(before, path)
            if path in now:
                return self._overwritten(current, base, _blob(after, path), now[path][1])
            return not any(
                new in unmerged or self._carries(current, base, _blob(after, new), _blob(now, new))
                for new in arrived
            )

        return tuple(sorted(path for path in edited if is_lost(path)))

    def _overwritten(self, current: str, base: str | None, other: str | None, found: str) -> bool:
        """Tell whether a file is the template's, as if nobody had edited it."""
        if found != other or current == other:
            return False
        return base is None or self.trees.merged(current, base, found) != found

    def _carries(
        self, current: str, base: str | None, other: str | None, found: str | None
    ) -> bool:
        """Tell whether a migration has taken the edits of a file along to a new one."""
        if base is None or other is None or found == other:
            return False
        return self.trees.merged(current, base, other) == found

    def _before(self) -> dict[str, Entry]:
        """Return what the template wrote at the recorded version."""
        answers = {key: value for key, value in self.recorded.items() if not key.startswith("_")}
        return self._rendered("before", str(self.recorded["_commit"]), answers)

    def _after(self) -> dict[str, Entry]:
        """Return what the template would write for a new service."""
        return self._rendered("after", self.order.release.tag, self.resolved.answers)

    def _rendered(self, name: str, ref: str, answers: Mapping[str, Any]) -> dict[str, Entry]:
        folder = self.scratch / name / self.trees.folder.name
        version = Version(self.order.release.repository.source, ref)
        trust = self.order.options.trust
        rendering.copy(version, folder, answers, trust=trust, tasks=False)
        return self.trees.entries(self.trees.store(folder))


def _blob(entries: Mapping[str, Entry], path: str) -> str | None:
    return entries[path][1] if path in entries else None
