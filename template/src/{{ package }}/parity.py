"""Whether a model as it is served predicts what the training side predicted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from .errors import ContractError, ServiceError
from .serving.contract import Contract
from .serving.model import ServedModel
from .settings import Settings
from .tables import Table, TableError, read_table, to_number, to_value
from .types import Outputs

BATCH_ROWS = 1000
BATCH_CHARACTERS = 1_000_000
SHOWN_ROWS = 5
ANSWER_SECONDS = 60

Predict: TypeAlias = Callable[[bytes], Outputs]
"""Predicts a batch, given as the batch endpoint takes it by columns: shape (rows, outputs)."""

Progress: TypeAlias = Callable[[int, int], None]


class ParityError(ServiceError):
    """Predictions cannot be compared; the text says why."""


class SealedModel:
    """Predicts with a sealed model and its predictor, in this process."""

    def __init__(self, contract: Contract, settings: Settings) -> None:
        """Open the model.

        Raises:
            ArtifactError: it is not what was sealed, or not what is pinned.
        """
        predictor = import_module(f".predictors.{contract.name}", __package__).predict
        pinned = settings.model_digests.get(contract.name)
        self._model = ServedModel(contract, predictor, settings.model_dir, pinned=pinned)
        self.name = f"the sealed model {self._model.digest}"

    def __call__(self, body: bytes) -> Outputs:
        """Predict one batch."""
        return self._model.predict_now(self._model.contract.parse_batch(body, BATCH_ROWS))


class RunningService:
    """Predicts by asking a running service; never through a proxy."""

    def __init__(self, contract: Contract, url: str, key: str | None = None) -> None:
        """Prepare the calls.

        Raises:
            ParityError: *url* is none of a service.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ParityError(f"{url!r} is no URL of a service, such as http://127.0.0.1:8000")
        connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = connect(parts.netloc, timeout=ANSWER_SECONDS)
        self._path = f"{parts.path.rstrip('/')}{contract.endpoint}/batch"
        # Nothing to close afterwards, and a worker that is replaced meanwhile loses nothing.
        self._headers = {"Content-Type": "application/json", "Connection": "close"}
        if key:
            self._headers["X-API-Key"] = key
        self._contract = contract
        self.name = f"the service at {url}"

    def __call__(self, body: bytes) -> Outputs:
        """Predict one batch."""
        try:
            self._connection.request("POST", self._path, body, self._headers)
            response = self._connection.getresponse()
            answer = json.loads(response.read())
            if response.status == 200:
                return self._outputs(answer)
            detail, errors = answer["detail"], answer.get("errors", ())
        except (OSError, HTTPException) as error:
            raise ParityError(f"{self.name} does not answer: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ParityError(f"{self.name} answers as something else would") from error
        if errors:
            raise ContractError(detail, errors)
        raise ParityError(f"{self.name} answers {response.status}: {detail}")

    def _outputs(self, answer: Any) -> Outputs:
        if self._contract.task == "classification":
            numbers = "scores" if self._contract.raw else "probabilities"
            return np.array(answer[numbers], np.float64)
        names = self._contract.answer.outputs
        predictions = answer["predictions"]
        rows = [[row[name] for name in names] for row in predictions] if names else predictions
        return np.array(rows, np.float64).reshape(len(rows), -1)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a comparison."""

    text: str
    rows_over: int


@dataclass(frozen=True, slots=True)
class _Predictions:
    """What is expected: shape (rows, outputs)."""

    names: tuple[str, ...]
    values: NDArray[Any]
    labels: tuple[str, ...] = ()
    """Of a classifier whose classes are given, and not its probabilities: what they stand for."""

    def show(self, value: float) -> str:
        """Write a number, or the class that it stands for."""
        return self.labels[int(value)] if self.labels else f"{value:.9g}"


def compare(
    contract: Contract,
    rows: Path,
    expected: Path,
    predict: Predict,
    *,
    tolerance: float,
    show_progress: Progress,
) -> Report:
    """Compare what *predict* answers for the table *rows* with the table *expected*.

    Args:
        contract: The model's.
        rows: A CSV file with a column for each feature, by its name; others are not looked at.
        expected: A CSV file with the predictions in the same order.
        predict: What is compared.
        tolerance: The largest difference that is fine, relative to each output's largest
            expected prediction.
        show_progress: Called with the number of rows that are done, and of all.

    Raises:
        ServiceError: a table is not what it should be, or a row is refused.
    """
    table = read_table(rows)
    columns = _columns(table, contract)
    predictions = _expected(read_table(expected), contract)
    total, given = len(predictions.values), len(table.lines)
    if given != total:
        raise TableError(f"{rows} has {given} rows, but {expected} has {total} predictions")
    batches: list[Outputs] = []
    done = 0
    for size, body in _batches(table, columns):
        try:
            batches.append(predict(body))
        except ContractError as error:
            raise _refusal(error, table, done) from None
        done += size
        show_progress(done, total)
    return _report(contract, predictions, np.vstack(batches), tolerance)


def model_of(contracts: Sequence[Contract], rows: Path) -> Contract:
    """Find the model that a table has rows for: the only one whose features it all has.

    Raises:
        ParityError: none has, or several have.
    """
    if len(contracts) == 1:
        return contracts[0]
    columns = read_table(rows).columns.keys()
    fitting = [each for each in contracts if columns >= {feature.name for feature in each.inputs}]
    if len(fitting) != 1:
        names = ", ".join(each.name for each in fitting or contracts)
        raise ParityError(f"{rows} does not tell which model it is for; name it: {names}")
    return fitting[0]


def _columns(table: Table, contract: Contract) -> dict[str, list[Any]]:
    fields = zip(contract.inputs, contract.instance.model_fields.values())
    return {each.name: table.values(each.name, to_value(each, field)) for each, field in fields}


def _batches(table: Table, columns: dict[str, list[Any]]) -> Iterator[tuple[int, bytes]]:
    """Cut the rows into request bodies by columns, each far from a service's limits."""
    cells = [table.column(name) for name in columns]
    start = characters = 0
    for end, row in enumerate(zip(*cells), 1):
        characters += sum(map(len, row)) + len(row)
        if end - start == BATCH_ROWS or characters > BATCH_CHARACTERS or end == len(table.lines):
            part = {name: values[start:end] for name, values in columns.items()}
            yield end - start, json.dumps({"columns": part}).encode()
            start, characters = end, 0


def _expected(table: Table, contract: Contract) -> _Predictions:
    """Read the expected outputs; of a classifier the classes alone will do."""
    names = tuple(map(str, contract.answer.outputs))
    labels = tuple(map(str, contract.answer.classes))
    if not names:
        names = tuple(table.columns) if len(table.columns) == 1 else ("prediction",)
    elif labels and not table.columns.keys() >= set(names):
        classes = table.values("prediction", labels.index)
        return _Predictions(("prediction",), np.array(classes).reshape(-1, 1), labels)
    return _Predictions(names, np.column_stack([table.values(n, to_number) for n in names]))


def _refusal(error: ContractError, table: Table, done: int) -> TableError:
    """Name the line of the file that the contract refuses."""
    if not error.errors:
        return TableError(f"{table.path}: {error.detail}")
    first = error.errors[0]
    _, _, row = first["pointer"].rpartition("/")
    line = f", line {table.lines[done + int(row)]}" if row.isdecimal() else ""
    return TableError(f"{table.path}{line}: {first['pointer']}: {first['message']}")


def _report(contract: Contract, expected: _Predictions, found: Outputs, tolerance: float) -> Report:
    if expected.labels:
        predicted = map(str, contract.answer.many(found)["predictions"])
        found = np.array([[expected.labels.index(label)] for label in predicted], np.float64)
        difference = (found != expected.values).astype(np.float64)
        allowed = np.zeros(1)
    else:
        difference = np.abs(found - expected.values)
        allowed = tolerance * np.abs(expected.values).max(axis=0)
    over = ~(difference <= allowed)
    # Outputs may differ in size by far: the worst is what exceeds the tolerance of its own most.
    excess = difference / np.maximum(allowed, np.finfo(np.float64).tiny)
    lines = [f"{'row':>9}  {'output':<20} {'expected':>15} {'predicted':>15} {'difference':>11}"]
    for row in np.argsort(-excess.max(axis=1), kind="stable")[:SHOWN_ROWS]:
        output = int(excess[row].argmax())
        lines.append(
            f"{row + 1:>9}  {expected.names[output]:<20}"
            f" {expected.show(expected.values[row, output]):>15}"
            f" {expected.show(found[row, output]):>15} {difference[row, output]:>11.3g}"
        )
    rows_over = int(over.any(axis=1).sum())
    lines.append(
        f"largest difference {difference.max():.3g}; {rows_over} of {len(found)} rows differ by"
        f" more than {tolerance:g} of the largest prediction"
    )
    return Report("\n".join(lines), rows_over)
