"""Tables in CSV files: rows as the training side writes them, without pandas."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from pydantic.fields import FieldInfo

from .errors import ServiceError
from .serving.contract import Feature, FeatureType

TRUTH = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


class TableError(ServiceError):
    """A file is no table, or not the one that is needed; the text names the place."""


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file's columns by their names, as text."""

    path: Path
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    """The line in the file at which each row ends."""

    def column(self, name: str) -> Sequence[str]:
        """Return the cells of one column.

        Raises:
            TableError: there is none of that name; the text lists those that there are.
        """
        if name not in self.columns:
            known = ", ".join(map(repr, self.columns))
            raise TableError(f"{self.path}: there is no column {name!r}; there are: {known}")
        return self.columns[name]

    def values(self, name: str, convert: Callable[[str], Any]) -> list[Any]:
        """Convert the cells of one column.

        Raises:
            TableError: a cell cannot be converted; the text names its line.
        """
        found = []
        for cell, line in zip(self.column(name), self.lines):
            try:
                found.append(convert(cell))
            except (KeyError, ValueError, OverflowError):
                place = f"{self.path}, line {line}, column {name!r}"
                raise TableError(f"{place}: {cell[:100]!r} cannot be read") from None
        return found


def read_table(path: Path) -> Table:
    """Read a CSV file: UTF-8, separated by commas, with a header.

    Raises:
        TableError: it is none; the text names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            rows, lines = [], []
            for row in reader:
                if row:
                    rows.append(_checked(row, header, f"{path}, line {reader.line_num}"))
                    lines.append(reader.line_num)
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: not a CSV file in UTF-8: {error}") from error
    if not rows:
        raise TableError(f"{path}: there is no row below the header")
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise TableError(f"{path}: columns are there twice: {', '.join(sorted(twice))}")
    return Table(path, dict(zip(header, zip(*rows))), lines)


def to_value(feature: Feature, field: FieldInfo) -> Callable[[str], Any]:
    """How a cell becomes a value as a caller would send it.

    An empty cell is null, but of a string that must not be null it is the empty text.
    """
    if feature.type == "string" and NoneType not in get_args(field.annotation):
        return str
    if feature.type == "category":
        return _text if isinstance(feature.categories[0], str) else _integer
    converters: dict[FeatureType, Callable[[str], Any]] = {
        "float": _number,
        "int": _integer,
        "bool": _truth,
        "datetime": _text,
        "string": _text,
    }
    return converters[feature.type]


def to_number(cell: str) -> float:
    """Read a finite number.

    Raises:
        ValueError: it is none.
    """
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError(cell)
    return number


def _checked(row: list[str], header: list[str], place: str) -> list[str]:
    if len(row) != len(header):
        raise TableError(f"{place}: {len(row)} cells, not {len(header)} as the header has")
    return row


def _is_missing(cell: str) -> bool:
    """Whether a number is missing: pandas writes nothing then, NumPy nan."""
    return cell.strip().lower() in ("", "nan")


def _number(cell: str) -> float | None:
    return None if _is_missing(cell) else to_number(cell)


def _integer(cell: str) -> int | float | None:
    if _is_missing(cell):
        return None
    try:
        return int(cell)
    except ValueError:  # a column with gaps has 3.0 for 3
        return to_number(cell)


def _truth(cell: str) -> bool | None:
    return None if _is_missing(cell) else TRUTH[cell.strip().lower()]


def _text(cell: str) -> str | None:
    return cell or None
