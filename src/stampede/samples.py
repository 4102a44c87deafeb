"""Rows from a CSV file: what they tell of columns of which an artifact tells less."""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stampede.errors import UsageError
from stampede.features import Label, Number

MOST_ROWS = 100_000
GOLDEN_ROWS = 20

Instance = dict[str, Any]

# What pandas and R write where there is nothing.
MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>", "#N/A"})
BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class Rows:
    """A table as text, by column."""

    columns: dict[str, list[str]]

    @property
    def names(self) -> list[str]:
        return list(self.columns)

    def without(self, name: str) -> "Rows":
        return Rows({key: texts for key, texts in self.columns.items() if key != name})


def read(file: Path) -> Rows:
    """Return the rows of a CSV file with a header.

    Raises:
        UsageError: It is none, or has no rows.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            header = next(reader, [])
            rows = [row for _, row in zip(range(MOST_ROWS), reader, strict=False) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{file}: cannot be read as CSV: {error}") from error
    if len(set(header)) < len(header) or any(len(row) != len(header) for row in rows) or not rows:
        raise UsageError(f"{file}: must have a header of unique names, and rows as long as it is")
    return Rows(dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)))


def present(texts: Iterable[str]) -> list[str]:
    """Return the values that are there."""
    return [text for text in texts if text not in MISSING]


def numbers(texts: Iterable[str]) -> list[Number] | None:
    """Return what is there as numbers, if it is nothing else."""
    found: list[Number] = []
    for text in present(texts):
        try:
            value = float(text)
        except ValueError:
            return None
        if not math.isfinite(value):
            return None
        found.append(int(text) if text.lstrip("+-").isdigit() else value)
    return found


def booleans(texts: Iterable[str]) -> list[bool] | None:
    """Return what is there as booleans, if it is nothing else."""
    found = [BOOLEANS.get(text.lower()) for text in present(texts)]
    return None if None in found else [bool(value) for value in found]


def labels(texts: Iterable[str]) -> list[Label]:
    """Return the different values in order: integers where all are whole numbers, else text."""
    texts = present(texts)
    found = numbers(texts)
    if found is not None and all(value == int(value) for value in found):
        return sorted({int(value) for value in found})
    return sorted(set(texts))


def label(text: str, known: Iterable[Label]) -> Label | None:
    """Return which of the known values a text is; 2.0 is the integer 2."""
    number = next(iter(numbers([text]) or ()), None)
    for value in known:
        if value == text or (isinstance(value, int) and value == number):
            return value
    return None


def instances(
    rows: Rows, features: list[dict[str, Any]], most: int = GOLDEN_ROWS
) -> list[Instance]:
    """Return rows as a service's endpoint takes them, without those that do not fit."""
    found: list[Instance] = []
    if any(feature["name"] not in rows.columns for feature in features):
        return found
    columns = {feature["name"]: rows.columns[feature["name"]] for feature in features}
    for texts in zip(*columns.values(), strict=True):
        values = [_value(text, each) for text, each in zip(texts, features, strict=True)]
        pairs = zip(values, features, strict=True)
        if all(value is not None or each.get("nullable") for value, each in pairs):
            found.append(dict(zip(columns, values, strict=True)))
        if len(found) == most:
            break
    return found


def _value(text: str, feature: dict[str, Any]) -> Any:  # noqa: ANN401 - what JSON holds.
    """Return one value of a feature; None where there is none, or none that it has."""
    if feature["type"] == "category":
        return label(text, feature["values"])
    if text in MISSING:
        return None
    if feature["type"] == "bool":
        return BOOLEANS.get(text.lower())
    number = next(iter(numbers([text]) or ()), None)
    return number if feature["type"] == "float" or isinstance(number, int) else None
