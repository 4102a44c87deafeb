"""The four commands as functions: from a fleet file to an outcome for each service."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from stampede import dependencies, fleet
from stampede.errors import Finding, FleetError
from stampede.fleet import Fleet
from stampede.locks import alone
from stampede.orders import Options, Order
from stampede.outcomes import Outcome, State
from stampede.releases import Release
from stampede.workers import Crew, Progress, crew

Begin = Callable[[int], Progress]
"""Told how many services there are, returns what is told of each that is done."""


@dataclass(frozen=True)
class Run:
    """What the command line says about the run as a whole."""

    file: Path
    only: tuple[str, ...]
    jobs: int
    options: Options
    begin: Begin


def lint(run: Run) -> list[Finding]:
    """Return every error of a fleet file and of the answers of its services.

    Raises:
        StampedeError: The template cannot be read.
    """
    whole = fleet.read(run.file)
    with _started(run, whole) as (workers, releases):
        findings = [*whole.findings, *_unknown(workers, whole, releases)]
        orders = _orders(run, whole, releases)
        outcomes = workers.each("lint", orders, run.begin(len(orders)))
    return findings + [finding for outcome in outcomes for finding in _findings(outcome)]


def perform(command: str, run: Run) -> list[Outcome]:
    """Plan, apply or look at every service.

    Raises:
        FleetError: The fleet file has errors beyond the answers of one service.
        StampedeError: The template cannot be read, or another apply is running.
    """
    whole = fleet.read(run.file)
    if whole.findings:
        raise FleetError(list(whole.findings))
    applies = command == "apply"
    if applies and run.options.lock:
        dependencies.uv()
    with (
        alone(whole.file) if applies else nullcontext(),
        _started(run, whole) as (workers, releases),
    ):
        if unknown := _unknown(workers, whole, releases):
            raise FleetError(unknown)
        orders = _orders(run, whole, releases)
        return workers.each(command, orders, run.begin(len(orders)))


@contextmanager
def _started(run: Run, whole: Fleet) -> Iterator[tuple[Crew, dict[str, Release | str]]]:
    """Start the workers and bring the template here."""
    wanted = whole.only(list(run.only))
    versions = sorted({service.version for service in whole.services})
    with crew(max(1, min(run.jobs, len(wanted)))) as workers:
        yield workers, workers.prepare(whole.source, versions)


def _orders(run: Run, whole: Fleet, releases: Mapping[str, Release | str]) -> list[Order]:
    return [
        Order(service, release, whole.defaults, whole.places, run.options)
        for service in whole.only(list(run.only))
        if isinstance(release := releases[service.version], Release)
    ]


def _unknown(workers: Crew, whole: Fleet, releases: Mapping[str, Release | str]) -> list[Finding]:
    """Return what the template does not know: versions, and defaults."""
    unknown = [
        Finding(service.places[""], service.label, "version", service.version, rule)
        for service in whole.services
        if isinstance(rule := releases[service.version], str)
    ]
    known = {release.sha: release for release in releases.values() if isinstance(release, Release)}
    if known:
        unknown += workers.unknown_defaults(whole.defaults, whole.places, list(known.values()))
    return unknown


def _findings(outcome: Outcome) -> Sequence[Finding]:
    if outcome.findings or outcome.state is State.CURRENT:
        return outcome.findings
    return [Finding(outcome.path, outcome.name, "", "", outcome.message)]


def exit_code(command: str, outcomes: Sequence[Outcome]) -> int:
    """Return 1 if anything failed, 3 if anything awaits a person, else 0."""
    if any(outcome.state is State.FAILED for outcome in outcomes):
        return 1
    if command == "apply":
        waits = any(outcome.awaits_person for outcome in outcomes)
    else:
        waits = any(outcome.state is not State.CURRENT for outcome in outcomes)
    return 3 if waits else 0
