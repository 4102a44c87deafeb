"""What can go wrong, by the exit code that it ends a command with."""

from dataclasses import dataclass

LONGEST_VALUE = 80
LONGEST_RULE = 400


class StampedeError(Exception):
    """A command cannot go on; the message says why, and what to do."""

    exit_code = 1


class UsageError(StampedeError):
    """The command line asks for something that is not there."""

    exit_code = 2


class SourceError(StampedeError):
    """The template cannot be reached, or lacks the version that is wanted."""


class ProcessError(StampedeError):
    """Another program failed; the message is the last of what it said."""


class AwaitsPersonError(StampedeError):
    """A service is in a state that only a person can decide about."""

    exit_code = 3


@dataclass(frozen=True)
class Finding:
    """One error of a fleet file or an answers file."""

    place: str
    service: str
    question: str
    value: str
    rule: str

    def __str__(self) -> str:
        names = [name for name in (self.service, self.question) if name]
        return f"{': '.join([self.place, *names])}: {self.rule}"


class FleetError(StampedeError):
    """The fleet file is not one; every error that it has."""

    exit_code = 2

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


def shortened(text: str, longest: int) -> str:
    """Return *text*, or its beginning, marked as such."""
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


def shown(value: object) -> str:
    """Return how a message quotes *value*."""
    return shortened(repr(value), LONGEST_VALUE)
