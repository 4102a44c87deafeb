"""The answers to the question `models`, from artifacts and rows; what neither tells is marked."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import FileSystemLoader, TemplateNotFound
from jinja2.sandbox import SandboxedEnvironment

from stampede import samples
from stampede.errors import UsageError
from stampede.features import Column, Model, Number
from stampede.samples import Rows

NAMES = "includes/names.jinja"
LONGEST_NAME = 30
MARK = "TODO "
GAPS = "the artifact does not say which values may be missing: add nullable: true to those"
ORDER = (
    "the artifact has no names for the codes: these are the rows' values, sorted; check the order"
)
FROM_ROWS = "values are those of the rows; others count as `unknown` says"
NO_VALUES = "write its values in the order of their codes, or give --rows"


@dataclass(frozen=True)
class Answer:
    """One model's answers, and the remarks that stand beside them."""

    name: str
    source: str
    answers: dict[str, Any]
    questions: list[str]
    remarks: list[str]
    """One for each feature."""

    @property
    def open(self) -> list[str]:
        """What is marked, in one list."""
        pairs = zip(self.answers["features"], self.remarks, strict=True)
        marked = [(feature["name"], text) for feature, text in pairs if text.startswith(MARK)]
        return self.questions + [f"{name}: {text.removeprefix(MARK)}" for name, text in marked]


def answer(file: Path, model: Model, rows: Rows | None, target: str | None, name: str) -> Answer:
    """Return the answers for *model*.

    Raises:
        UsageError: The rows do not fit the artifact, or lack the target.
    """
    named: list[str] = []
    if rows is not None and target is not None:
        if target not in rows.columns:
            raise UsageError(f"--target {target}: the rows have no such column")
        named = _name_classes(model, rows.columns[target], target)
        rows = rows.without(target)
    named += _name_columns(file, model, rows)
    for column in model.columns:
        _complete(column, rows, model.framework)
    gaps = [GAPS] if any(column.nullable is None for column in model.columns) else []
    answers = {"name": name, "framework": model.framework} | _answers(model)
    remarks = [_remark(column) for column in model.columns]
    return Answer(name, file.name, answers, [*model.questions, *named, *gaps], remarks)


def _answers(model: Model) -> dict[str, Any]:
    """Return what stands beside name and framework."""
    answers: dict[str, Any] = {} if model.format == "native" else {"format": model.format}
    answers["task"] = model.task
    if model.classes is not None:
        answers["classes"] = model.classes
    if model.raw:
        answers["output"] = "raw"
    if model.task == "multioutput_regression":
        answers["outputs"] = [f"output_{index + 1}" for index in range(model.outputs)]
        model.questions.append("the artifact has no names for its outputs")
    return answers | {"features": [_feature(column) for column in model.columns]}


def _name_classes(model: Model, texts: list[str], target: str) -> list[str]:
    """Give classes that are numbers in the artifact the labels of the target."""
    found = samples.labels(texts)
    known = model.classes
    if known != list(range(len(known or ()))) or not known or found == known:
        return []
    if len(found) != len(known):
        return [f"the rows' {target} has {len(found)} values, the artifact {len(known)} classes"]
    model.classes = found
    model.questions.clear()
    return [f"the classes are the values of {target}, sorted, as encoders number them: check"]


def _name_columns(file: Path, model: Model, rows: Rows | None) -> list[str]:
    """Name the columns that the artifact has no names for."""
    if all(column.name for column in model.columns) and model.columns:
        return []
    if rows is None:
        for index, column in enumerate(model.columns):
            column.name = column.name or f"f{index}"
        return ["the artifact has no names for its features: give --rows, or write them in order"]
    if not model.columns:
        model.columns = [Column() for _ in rows.names]
    if len(rows.names) != len(model.columns):
        fitted, given = len(model.columns), len(rows.names)
        message = f"{file}: has {fitted} features without names, and the rows {given} columns"
        raise UsageError(f"{message}: leave the others out, or name one with --target")
    for column, name in zip(model.columns, rows.names, strict=True):
        column.name = name
    return ["the names of the features are those of the rows, in their order: check"]


def _texts(column: Column, rows: Rows | None) -> list[str] | None:
    """Return a column of the rows; LightGBM stores names without their blanks."""
    if rows is None:
        return None
    for name, texts in rows.columns.items():
        if column.name in {name, re.sub(r"\s", "_", name)}:
            column.name = name
            return texts
    return None


def _look_at_rows(column: Column, texts: list[str], framework: str) -> None:
    there = samples.present(texts)
    gaps = len(there) < len(texts)
    if gaps and column.nullable is False:
        column.questions.append("the rows have gaps here, of which the artifact knows nothing")
    column.nullable = bool(gaps or column.nullable)
    found = samples.numbers(texts)
    if column.type is None:
        column.type = _type(texts, found)
    if column.type == "category":
        _look_at_categories(column, texts, framework)
    elif column.type == "bool":
        truths = samples.booleans(texts)
        column.example = None if not truths else truths[0]
    elif found:
        found = _fitting(column, found)
        column.minimum, column.maximum = min(found), max(found)
        column.example = found[0]
    elif there:
        column.questions.append("the rows have text here, of which the artifact knows nothing")


def _fitting(column: Column, found: list[Number]) -> list[Number]:
    """Return numbers as the column's type has them: 3.0 of an int is 3."""
    if column.type != "int":
        return found
    if any(value != int(value) for value in found):
        column.questions.append("the rows have fractions here, which the artifact took for int")
    return [int(value) for value in found]


def _type(texts: list[str], found: list[Number] | None) -> str:
    """Return a type that refuses none of the values: of a number, float."""
    if found is not None:
        return "float"
    return "category" if samples.booleans(texts) is None else "bool"


def _look_at_categories(column: Column, texts: list[str], framework: str) -> None:
    seen = samples.labels(texts)
    if column.values is None and seen:
        column.values, column.questions = seen, []
        column.unknown = column.unknown or "reject"
        codes = isinstance(seen[0], int)
        if framework == "catboost":
            column.questions = [FROM_ROWS]
        elif not codes:
            column.questions = [ORDER]
        else:
            column.values = list(range(int(seen[-1]) + 1))
    known = column.values or []
    there = (samples.label(text, known) for text in texts)
    column.example = next((value for value in there if value is not None), None)
    if strange := [value for value in seen if samples.label(str(value), known) is None]:
        shown = ", ".join(map(str, strange[:3]))
        column.questions.append(f"the rows have values that the artifact does not know: {shown}")


def _complete(column: Column, rows: Rows | None, framework: str) -> None:
    """Take from the rows what the artifact does not tell, and mark what these do not either."""
    texts = _texts(column, rows)
    if texts is not None:
        _look_at_rows(column, texts, framework)
    elif rows is not None:
        column.questions.append("the rows have no such column")
    column.type = column.type or "float"
    if column.type == "category" and column.values is None:
        column.values = []
        column.questions.append(NO_VALUES)


def _feature(column: Column) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.name, "type": column.type}
    if column.type == "category":
        entry["values"] = column.values
        if column.unknown not in {None, "reject"}:
            entry["unknown"] = column.unknown
    elif column.type != "bool" and column.minimum is not None and column.maximum is not None:
        low, high = bounds(column.minimum, column.maximum)
        whole = column.type == "int"
        entry |= {"minimum": int(low) if whole else low, "maximum": int(high) if whole else high}
    if column.nullable:
        entry["nullable"] = True
    if column.example is not None:
        entry["example"] = column.example
    return entry


def _remark(column: Column) -> str:
    if column.questions:
        return MARK + "; ".join(column.questions)
    if column.type in {"float", "int"} and column.minimum is not None:
        return f"seen: {column.minimum:.6g} to {column.maximum:.6g}"
    return ""


def bounds(low: Number, high: Number) -> tuple[Number, Number]:
    """Return a range around what was seen, as wide again on each side, that keeps to its sign.

    A sample's own range would refuse the first larger value, and no range would let through
    metres for millimetres.
    """
    spread = high - low or abs(high) or 1
    step = 10.0 ** math.floor(math.log10(spread))
    least = math.floor((low - spread) / step) * step
    most = math.ceil((high + spread) / step) * step
    least = max(0, least) if low >= 0 else least
    most = min(0, most) if high <= 0 > low else most
    return _short(least), _short(most)


def _short(value: Number) -> Number:
    short = float(f"{value:.6g}")
    return int(short) if short == int(short) and abs(short) < 2**53 else short


def model_name(stem: str, taken: Iterable[str]) -> str:
    """Return a model's name from its file's, none that the service or another model has."""
    word = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "model"
    word = (word if word[0].isalpha() else f"model_{word}")[:LONGEST_NAME].rstrip("_")
    taken = set(taken)
    if word in taken:
        word = f"{word[: LONGEST_NAME - 6]}_model"
    number = 2
    free = word
    while free in taken:
        free, number = f"{word[: LONGEST_NAME - 4]}_{number}", number + 1
    return free


def taken_names(files: Path) -> frozenset[str]:
    """Return the names that a template's services use themselves: the template's own list."""
    environment = SandboxedEnvironment(loader=FileSystemLoader(files))
    try:
        module = environment.get_template(NAMES).module
    except TemplateNotFound:
        return frozenset()
    return frozenset([*module.KEYWORDS, *module.MODEL_NAMES_IN_USE])  # type: ignore[attr-defined]


def written(answers: Iterable[Answer], others: Mapping[str, Any]) -> str:
    """Return an answers file."""
    lines = [f"{key}: {_flow(value)}" for key, value in others.items()]
    lines.append("models:")
    for each in answers:
        lines += _model_lines(each)
    return "\n".join(lines) + "\n"


def _model_lines(each: Answer) -> Iterator[str]:
    yield f"  # From {_line(each.source)}; TODO marks what it does not tell."
    yield from (f"  # TODO {_line(question)}" for question in each.questions)
    mark = "-"
    for key, value in each.answers.items():
        if key != "features":
            yield f"  {mark} {key}: {_flow(value)}"
            mark = " "
    yield "    features:"
    for feature, remark in zip(each.answers["features"], each.remarks, strict=True):
        yield f"      - {_flow(feature)}{f'  # {_line(remark)}' if remark else ''}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _flow(value: object) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9
    )
    return text.removesuffix("\n").removesuffix("\n...")
