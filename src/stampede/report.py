"""Outcomes for people and for programs."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stampede.errors import Finding
from stampede.outcomes import Outcome, State

STYLES = {
    State.CREATE: "green",
    State.UPDATE: "cyan",
    State.CURRENT: "dim",
    State.CONFLICT: "yellow",
    State.LOSES_EDITS: "bold yellow",
    State.NEEDS_TRUST: "yellow",
    State.DIRTY: "yellow",
    State.FAILED: "red",
}
DONE = {State.CREATE: "created", State.UPDATE: "updated", State.LOSES_EDITS: "updated by force"}
NOTHING_TO_SAY = {State.CREATE, State.UPDATE, State.CURRENT}
# A pipe has no width: lines are what programs read.
UNBOUNDED = 10_000


def output(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = UNBOUNDED
    return console


def show_outcomes(console: Console, outcomes: Sequence[Outcome], *, quiet: bool) -> None:
    """Print each service with its files, then one line for all of them.

    A service that is new is not listed file by file. *quiet* leaves out what needs no attention.
    """
    told = [found for found in outcomes if not quiet or found.state not in NOTHING_TO_SAY]
    width = max((len(found.path) for found in told), default=0)
    for found in told:
        line = Text.assemble(
            found.path.ljust(width),
            "  ",
            (state_of(found).ljust(16), STYLES[found.state]),
            "  ",
            versions_of(found),
        )
        console.print(line)
        _show_details(console, found)
    if not quiet:
        console.print(summary(outcomes), style="bold")


def _show_details(console: Console, found: Outcome) -> None:
    if found.message:
        console.print(Text(f"    {found.message}"))
    for finding in found.findings:
        console.print(Text(f"    {finding}"))
    if found.state is State.CREATE:
        console.print(Text(f"    A {len(found.changes)} files"))
    else:
        for change in found.changes:
            lost = "  (edits of the team's)" if change.path in found.lost else ""
            console.print(Text(f"    {change.letter} {change.path}{lost}"))
    if found.locked:
        console.print(Text("    uv.lock is renewed"))
    if found.commit:
        console.print(Text(f"    commit {found.commit[:10]}"))
    if found.diff:
        console.print(Text(found.diff))


def state_of(found: Outcome) -> str:
    """Return the state, in the past tense if it is behind us."""
    return DONE.get(found.state, str(found.state)) if found.applied else str(found.state)


def versions_of(found: Outcome) -> str:
    if found.version is None or found.version == found.target:
        return found.target
    return f"{found.version} -> {found.target}"


def summary(outcomes: Sequence[Outcome]) -> str:
    counts = Counter(state_of(found) for found in outcomes)
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def show_status(console: Console, outcomes: Sequence[Outcome], *, quiet: bool) -> None:
    """Print a table of versions, answers and edits."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Service", "State", "Version", "Answers that differ", "Edited template files"):
        table.add_column(column, overflow="fold")
    for found in outcomes:
        if quiet and found.state is State.CURRENT and not found.edited:
            continue
        table.add_row(
            Text(found.path),
            Text(status_of(found), style=STYLES[found.state]),
            versions_of(found),
            Text(", ".join(difference.question for difference in found.differences)),
            Text("\n".join(f"{change.letter} {change.path}" for change in found.edited)),
        )
    console.print(table)
    for found in outcomes:
        if found.state is State.FAILED:
            console.print(Text(f"{found.path}: {found.message}"))
            for finding in found.findings:
                console.print(Text(f"    {finding}"))


def status_of(found: Outcome) -> str:
    """Return what `status` calls a state: it looks, and announces nothing."""
    if found.state is State.CREATE:
        return "missing"
    if found.state is State.UPDATE:
        return "behind" if found.version != found.target else "answers differ"
    return str(found.state)


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    for finding in findings:
        console.print(Text(str(finding)))


def as_json(
    command: str,
    code: int,
    outcomes: Sequence[Outcome] = (),
    findings: Sequence[Finding] = (),
    error: str = "",
) -> str:
    """Return one document about a whole run."""
    document = {
        "command": command,
        "exit_code": code,
        "error": error,
        "findings": [asdict(finding) for finding in findings],
        "services": [asdict(outcome) for outcome in outcomes],
    }
    return json.dumps(document, indent=2)
