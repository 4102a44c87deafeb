"""The command line: what is asked for.

Exit codes: 0 clean or done, 1 failed, 2 usage or a bad fleet file, 3 a person is awaited.
"""

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from stampede import __version__, commands, html_report, model_cli
from stampede.commands import Run, exit_code
from stampede.errors import ProcessError, StampedeError, UsageError
from stampede.orders import Options
from stampede.processes import git
from stampede.screen import Screen

USAGE = 2
CPUS = len(os.sched_getaffinity(0))

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=(
        "Make services of trained models, and keep a fleet of them current.\n\n"
        "Exit codes: 0 clean or done, 1 failed, 2 usage or a bad fleet file, 3 changes or "
        "conflicts await a person."
    ),
)

FleetFile = Annotated[Path, typer.Argument(metavar="FLEET.YML", help="The fleet file.")]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="WHICH", help="A service's path or name, or a group; repeatable."),
]
Jobs = Annotated[int, typer.Option(min=1, metavar="N", help="Worker processes.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only what needs attention.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Let the template run its tasks and migrations.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Update also where that deletes edits of the team's.")
]
Branch = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Commit to this branch, made from HEAD if need be; no work tree is touched.",
    ),
]
Diff = Annotated[bool, typer.Option("--diff", help="Show the lines that change.")]
NoLock = Annotated[bool, typer.Option("--no-lock", help="Do not run uv lock.")]
Commit = Annotated[
    bool, typer.Option("--commit", help="Commit each service to the branch it has checked out.")
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Also write the table as a page.")
]


def _examples(*lines: str) -> str:
    """Return the end of a command's help; the first character keeps click from wrapping it."""
    return "\b\nExamples:\n" + "\n".join(f"  stampede {line}" for line in lines)


def main() -> None:
    """Run the command; a pipeline that cancels it does so as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app(prog_name="stampede")


@app.callback(invoke_without_command=True)
def version(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        typer.echo(__version__)


@app.command(epilog=_examples("lint fleet.yml", "lint fleet.yml --only retail --json"))
def lint(
    fleet_file: FleetFile,
    *,
    only: Only = None,
    jobs: Jobs = CPUS,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell all errors of the fleet file and of all answers at once.

    Exits 2 if there are any. Reads the template, and no service.
    """
    with Screen("lint", json=json, quiet=quiet) as screen:
        run = Run(fleet_file, tuple(only or ()), jobs, Options(), screen.begin)
        findings = commands.lint(run)
        screen.end(USAGE if findings else 0, findings=findings)


@app.command(epilog=_examples("plan fleet.yml", "plan fleet.yml --only services/churn --diff"))
def plan(
    fleet_file: FleetFile,
    *,
    only: Only = None,
    diff: Diff = False,
    branch: Branch = None,
    trust: Trust = False,
    force: Force = False,
    jobs: Jobs = CPUS,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show what apply would do, file by file; touch nothing.

    A is added, M modified, D deleted, C in conflict. It is computed as apply computes it, in a
    scratch folder. Exits 3 if there is anything to do.
    """
    with Screen("plan", json=json, quiet=quiet) as screen:
        options = Options(trust=trust, force=force, diff=diff, branch=_checked(branch))
        run = Run(fleet_file, tuple(only or ()), jobs, options, screen.begin)
        outcomes = commands.perform("plan", run)
        screen.end(exit_code("plan", outcomes), outcomes)


@app.command(
    epilog=_examples("apply fleet.yml", "apply fleet.yml --only retail --branch stampede/v1.2.0")
)
def apply(
    fleet_file: FleetFile,
    *,
    only: Only = None,
    commit: Commit = False,
    branch: Branch = None,
    no_lock: NoLock = False,
    trust: Trust = False,
    force: Force = False,
    jobs: Jobs = CPUS,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Create and update services: what plan says, and only that.

    A service that fails does not stop the others. Conflicts are written as git writes them, for a
    person to resolve, and end it with 3. Run again after whatever stopped it: it goes on.
    """
    with Screen("apply", json=json, quiet=quiet) as screen:
        if commit and branch:
            raise UsageError("--branch commits by itself: give one of --commit and --branch")
        options = Options(
            trust=trust, force=force, lock=not no_lock, commit=commit, branch=_checked(branch)
        )
        run = Run(fleet_file, tuple(only or ()), jobs, options, screen.begin)
        outcomes = commands.perform("apply", run)
        screen.end(exit_code("apply", outcomes), outcomes)


@app.command(epilog=_examples("status fleet.yml", "status fleet.yml --html status.html"))
def status(
    fleet_file: FleetFile,
    *,
    only: Only = None,
    html: Html = None,
    jobs: Jobs = CPUS,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show each service's version, answers and edited template files; touch nothing.

    Exits 3 if a service is missing, behind, or stamped from other answers.
    """
    with Screen("status", json=json, quiet=quiet) as screen:
        run = Run(fleet_file, tuple(only or ()), jobs, Options(), screen.begin)
        outcomes = commands.perform("status", run)
        if html is not None:
            _write(html, html_report.page(f"Status of {fleet_file.name}", outcomes))
        screen.end(exit_code("status", outcomes), outcomes)


model_cli.register(app, _examples)


def _checked(branch: str | None) -> str | None:
    """Return a branch's name as git takes it.

    Raises:
        UsageError: Git does not.
    """
    if branch is not None:
        try:
            git("check-ref-format", f"refs/heads/{branch}", cwd=Path.cwd())
        except ProcessError as error:
            raise UsageError(f"--branch {branch}: is no name for a branch") from error
    return branch


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StampedeError(f"{file}: {error.strerror}") from error
