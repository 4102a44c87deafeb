"""The command line of `describe` and `new`."""

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stampede import report
from stampede.errors import StampedeError

if TYPE_CHECKING:
    from stampede.model_commands import Source

FAILED, AWAITS = 1, 3

Artifacts = Annotated[
    list[Path],
    typer.Argument(
        metavar="ARTIFACT...",
        help="Trained models: .ubj, .json (XGBoost), .txt (LightGBM), .cbm (CatBoost), .skops, "
        ".joblib, .pkl (scikit-learn), .onnx.",
        show_default=False,
    ),
]
RowsFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--rows",
        metavar="FILE.csv",
        help="Rows with a header, such as those of training; repeatable: one for each artifact.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="The column of the rows that is predicted: no feature."),
]
TrustPickle = Annotated[
    bool,
    typer.Option(
        "--trust-pickle", help="Read pickles (.joblib, .pkl), which runs what is in them."
    ),
]
Template = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE[@VERSION]", help="The template; by default that of this command's version."
    ),
]
Answers = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.yml",
        help="Answers to other questions, or to all: then `models` are in the artifacts' order.",
    ),
]


@contextmanager
def _told() -> Iterator[None]:
    """Turn what stopped a command into its message and exit code."""
    code = FAILED
    try:
        yield
    except StampedeError as error:
        code = error.exit_code
        _say(f"stampede: {error}")
    except KeyboardInterrupt:
        _say("stampede: interrupted")
    else:
        return
    raise typer.Exit(code)


def _say(text: str) -> None:
    report.output(stderr=True).print(text, markup=False, highlight=False)


@contextmanager
def _step(text: str) -> Iterator[None]:
    """Show what is being done, where somebody watches, and how long it took."""
    started = time.monotonic()
    console = report.output(stderr=True)
    if sys.stderr.isatty():
        with console.status(text):
            yield
    else:
        yield
    _say(f"{text}: {time.monotonic() - started:.1f} s")


def _source(
    files: list[Path],
    rows: list[Path] | None,
    target: str | None,
    *,
    trust: bool,
    template: str | None,
    answers: Path | None = None,
) -> "Source":
    from stampede.model_commands import Source  # noqa: PLC0415 - Copier takes a while to import.

    if trust and any(file.suffix.lower() in {".joblib", ".pkl"} for file in files):
        _say("stampede: warning: reading a pickle runs whatever is in it")
    return Source(tuple(files), tuple(rows or ()), target, trust, template, answers)


def describe(
    artifact: Artifacts,
    *,
    rows: RowsFiles = None,
    target: Target = None,
    trust_pickle: TrustPickle = False,
    template: Template = None,
) -> None:
    """Print the answers to the question `models` that trained artifacts tell.

    What an artifact does not tell is taken from the rows, and marked `# TODO` where these do not
    say it either. Exits 3 if the template would refuse the answers as they are.
    """
    with _told():
        from stampede import model_commands  # noqa: PLC0415 - as above.

        source = _source(artifact, rows, target, trust=trust_pickle, template=template)
        found = model_commands.describe(source, _step)
        typer.echo(found.text, nl=False)
        for text in found.open:
            _say(f"to look at: {text}")
        for text in found.problems:
            _say(f"to complete: {text}")
        if found.problems:
            raise typer.Exit(AWAITS)


def new(
    artifact: Artifacts,
    folder: Annotated[
        Path, typer.Argument(metavar="DEST", help="The service's folder: a new one.")
    ],
    *,
    rows: RowsFiles = None,
    target: Target = None,
    answers: Answers = None,
    trust_pickle: TrustPickle = False,
    template: Template = None,
) -> None:
    """Make a service of trained artifacts: describe, render, set up, seal, serve, ask.

    The service is called like its folder. At the end it has answered a request for each model.
    Exits 3 if the artifacts do not tell enough; then nothing is written.
    """
    with _told():
        from stampede import model_commands  # noqa: PLC0415 - as above.

        started = time.monotonic()
        source = _source(
            artifact, rows, target, trust=trust_pickle, template=template, answers=answers
        )
        made = model_commands.new(source, folder, _step)
        for text in made.open:
            _say(f"to look at: {text}")
        path, body = made.request.split(" ", 1)
        typer.echo(f"{folder} is ready, in {time.monotonic() - started:.0f} s.")
        typer.echo(f"  POST {path} {body}\n  {made.answer}")
        typer.echo(f"Serve it:\n  cd {shlex.quote(str(folder))} && make serve")
        typer.echo(f"Call it, from another terminal there:\n  make call MODEL={made.models[0]}")
        typer.echo("Run all of its tests, and keep it:\n  git init && make test && git add --all")


def register(app: typer.Typer, examples: Callable[..., str]) -> None:
    """Add the commands to the command line."""
    app.command(
        epilog=examples(
            "describe price.ubj churn.skops > answers.yml",
            "describe price.ubj --rows sales.csv --target price > answers.yml",
        )
    )(describe)
    app.command(
        epilog=examples(
            "new price.ubj ../prices --rows sales.csv --target price",
            "new price.ubj ../prices --answers answers.yml",
        )
    )(new)
