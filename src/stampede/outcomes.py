"""What a command finds, or does, about each service."""

from dataclasses import dataclass
from enum import StrEnum

from stampede.errors import Finding


class State(StrEnum):
    """What is to be done about a service."""

    CREATE = "create"
    UPDATE = "update"
    CURRENT = "up to date"
    CONFLICT = "conflict"
    LOSES_EDITS = "would lose edits"
    NEEDS_TRUST = "needs trust"
    DIRTY = "dirty"
    FAILED = "failed"


@dataclass(frozen=True)
class Change:
    """One file: A added, M modified, D deleted, C in conflict."""

    letter: str
    path: str


@dataclass(frozen=True)
class Difference:
    """An answer that the service was not stamped from; None stands for no answer."""

    question: str
    recorded: str | None
    wanted: str | None


@dataclass(frozen=True)
class Outcome:
    """One service: linted, planned, applied, or looked at."""

    path: str
    name: str
    state: State
    version: str | None = None
    """The one that the service is at; None if there is no service yet."""
    target: str = ""
    changes: tuple[Change, ...] = ()
    lost: tuple[str, ...] = ()
    """Files with edits of the team's that the update would delete or overwrite."""
    message: str = ""
    findings: tuple[Finding, ...] = ()
    diff: str = ""
    applied: bool = False
    locked: bool = False
    """Whether uv.lock was written too; it is no file of the template's, so no plan lists it."""
    commit: str = ""
    edited: tuple[Change, ...] = ()
    """Files of the template's that the team has changed."""
    differences: tuple[Difference, ...] = ()

    @property
    def awaits_person(self) -> bool:
        """Tell whether applying it left it to a person to go on."""
        waits = {State.CONFLICT, State.LOSES_EDITS, State.NEEDS_TRUST, State.DIRTY}
        forced = self.applied and self.state is State.LOSES_EDITS
        return self.state in waits and not forced
