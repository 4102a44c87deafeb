"""What a command prints while it runs and when it ends: text or JSON, progress on a terminal."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from stampede import report
from stampede.errors import Finding, FleetError, StampedeError
from stampede.outcomes import Outcome
from stampede.workers import Progress as Told

FAILED = 1
INTERRUPTED = "interrupted: services that had begun are done; the same command goes on from there"


class Screen(AbstractContextManager["Screen"]):
    """Prints a command's result, or why it has none, and ends it with the exit code."""

    def __init__(self, command: str, *, json: bool, quiet: bool) -> None:
        self.command = command
        self.json = json
        self.quiet = quiet
        self._console = report.output()
        self._progress: Progress | None = None

    def begin(self, total: int) -> Told:
        """Show how many of *total* services are done, if there is anybody to see it."""
        if self.json or self.quiet or not sys.stderr.isatty():
            return lambda _: None
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
        )
        self._progress = Progress(*columns, console=report.output(stderr=True), transient=True)
        self._progress.start()
        progress, task = self._progress, self._progress.add_task(self.command, total=total)

        def told(label: str) -> None:
            progress.update(task, advance=1, description=label)

        return told

    def end(
        self,
        code: int,
        outcomes: Sequence[Outcome] = (),
        findings: Sequence[Finding] = (),
        error: str = "",
    ) -> None:
        """Print everything and exit.

        Raises:
            typer.Exit: Always.
        """
        self._stop()
        if self.json:
            self._print(report.as_json(self.command, code, outcomes, findings, error))
        else:
            if error:
                report.output(stderr=True).print(f"stampede: {error}", markup=False)
            report.show_findings(self._console, findings)
            if outcomes and self.command == "status":
                report.show_status(self._console, outcomes, quiet=self.quiet)
            elif outcomes:
                report.show_outcomes(self._console, outcomes, quiet=self.quiet)
            elif self.command == "lint" and not (findings or error or self.quiet):
                self._print("no errors")
        raise typer.Exit(code)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Turn what stopped the command into its message and exit code."""
        self._stop()
        if isinstance(error, FleetError):
            self.end(error.exit_code, findings=error.findings)
        if isinstance(error, StampedeError):
            self.end(error.exit_code, error=str(error))
        if isinstance(error, KeyboardInterrupt):
            self.end(FAILED, error=INTERRUPTED)
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(FAILED) from error

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False)

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
