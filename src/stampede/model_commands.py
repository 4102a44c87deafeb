"""`describe` and `new` as functions: from artifacts to answers, and from there to a service."""

import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stampede import (
    artifacts,
    describing,
    gitenv,
    making,
    rendering,
    samples,
    templates,
    yaml_file,
)
from stampede.describing import Answer
from stampede.errors import AwaitsPersonError, UsageError
from stampede.questions import questionnaire
from stampede.releases import Release
from stampede.rendering import Version
from stampede.samples import Rows

Step = Callable[[str], AbstractContextManager[None]]
"""Shows what is being done."""


@dataclass(frozen=True)
class Source:
    """What the command line names."""

    files: tuple[Path, ...]
    rows: tuple[Path, ...]
    """One for all artifacts, or one for each."""
    target: str | None
    trust_pickle: bool
    template: str | None
    answers: Path | None = None


@dataclass(frozen=True)
class Description:
    """An answers file, and what a person has to do about it."""

    text: str
    open: tuple[str, ...]
    """What neither artifact nor rows tell."""
    problems: tuple[str, ...]
    """Why the template refuses it, if it does."""


def describe(source: Source, step: Step) -> Description:
    """Return the answers for artifacts.

    Raises:
        StampedeError: An artifact, the rows or the template cannot be read.
    """
    with TemporaryDirectory(prefix="stampede.") as shelf:
        release = _release(source, Path(shelf))
        answers = _answers(source, release, _rows(source), step)
        models = [each.answers for each in answers]
        problems = _problems(release, Path.cwd(), {"models": models})
    marked = tuple(f"{each.name}: {text}" for each in answers for text in each.open)
    return Description(describing.written(answers, {}), marked, problems)


def _release(source: Source, shelf: Path) -> Release:
    gitenv.settle()
    return templates.release(source.template, shelf)


def _rows(source: Source) -> list[Rows | None]:
    """Return the rows of each artifact."""
    given, wanted = len(source.rows), len(source.files)
    if not given and source.target is not None:
        raise UsageError("--target names a column of --rows: give these too")
    if given not in {0, 1, wanted}:
        raise UsageError(f"--rows: give one file, or one for each of the {wanted} artifacts")
    files = source.rows * wanted if given == 1 else source.rows
    return [samples.read(file) for file in files] or [None] * wanted


def _answers(source: Source, release: Release, rows: list[Rows | None], step: Step) -> list[Answer]:
    taken = set(describing.taken_names(release.files))
    found = []
    for file, table in zip(source.files, rows, strict=True):
        with step(f"reading {file.name}"):
            model = artifacts.read(file, trust_pickle=source.trust_pickle)
            name = describing.model_name(file.stem, taken)
            taken.add(name)
            found.append(describing.answer(file, model, table, source.target, name))
    return found


def _problems(release: Release, folder: Path, answers: dict[str, Any]) -> tuple[str, ...]:
    resolved = questionnaire(release.files).resolve(folder, answers, {})
    return tuple(f"{problem.question}: {problem.rule}" for problem in resolved.problems)


def new(source: Source, folder: Path, step: Step) -> making.Made:
    """Make a running service of artifacts in *folder*, and return how it is used.

    Raises:
        AwaitsPersonError: The artifacts do not tell enough; nothing was written.
        StampedeError: A step failed.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: is there already")
    with TemporaryDirectory(prefix="stampede.") as shelf:
        release = _release(source, Path(shelf))
        rows = _rows(source)
        answers, marked = _all_answers(source, release, rows, step)
        answers = {"service_name": _service_name(folder)} | answers
        if problems := _problems(release, folder, answers):
            raise AwaitsPersonError(_advice(problems))
        with step("rendering"):
            rendering.read_from(release.repository)
            version = Version(release.repository.source, release.tag)
            rendering.copy(version, folder, answers, trust=False)
    models = answers["models"]
    _store(source.files, models, folder)
    golden = {
        model["name"]: dumps({"instances": instances}, ensure_ascii=False)
        for model, table in zip(models, rows, strict=True)
        if table and (instances := samples.instances(table, model["features"]))
    }
    return making.make(folder.resolve(), answers, golden, marked, step)


def _all_answers(
    source: Source, release: Release, rows: list[Rows | None], step: Step
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the answers of a file, or those that the artifacts tell, and what is marked there."""
    answers: dict[str, Any] = {}
    if source.answers is not None:
        answers = yaml_file.read(source.answers, str(source.answers)).value
        if not isinstance(answers, dict):
            raise UsageError(f"{source.answers}: must be a mapping of answers")
    if "models" not in answers:
        found = _answers(source, release, rows, step)
        models = [each.answers for each in found]
        marked = tuple(f"{each.name}: {text}" for each in found for text in each.open)
        return answers | {"models": models}, marked
    models = answers["models"]
    if not isinstance(models, list) or len(models) != len(source.files):
        count = len(source.files)
        raise UsageError(f"{source.answers}: must have {count} models, in the artifacts' order")
    for file in source.files:
        artifacts.check(file, trust_pickle=source.trust_pickle)
    return answers, ()


def _service_name(folder: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")


def _advice(problems: Sequence[str]) -> str:
    listed = "\n  ".join(problems)
    return (
        f"the artifacts do not tell enough, or the template refuses it:\n  {listed}\n"
        "Write `stampede describe ... > answers.yml`, complete it, and give --answers answers.yml"
    )


def _store(files: Sequence[Path], models: Sequence[dict[str, Any]], folder: Path) -> None:
    target = folder / "models"
    target.mkdir(exist_ok=True)
    for file, model in zip(files, models, strict=True):
        ending = artifacts.kind_of(file).stored or file.suffix.lower()
        shutil.copyfile(file, target / f"{model['name']}{ending}")
