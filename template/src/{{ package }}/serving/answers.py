"""The shapes that a prediction is answered in, one class per kind of task."""

from __future__ import annotations

from typing import Any, Protocol

from ..types import Label, Outputs


class Answer(Protocol):
    """How rows of outputs become the body of an answer."""

    outputs: tuple[Label, ...]
    """Names of the outputs' columns; empty for a single number."""
    classes: tuple[Label, ...]
    """What is predicted, by a classifier."""

    def one(self, outputs: Outputs) -> dict[str, Any]:
        """Answer a single instance: *outputs* has shape (1, outputs)."""
        ...

    def many(self, outputs: Outputs) -> dict[str, Any]:
        """Answer a batch: *outputs* has shape (rows, outputs)."""
        ...


class Number:
    """One number a row: regression and ranking."""

    outputs: tuple[Label, ...] = ()
    classes: tuple[Label, ...] = ()

    def one(self, outputs: Outputs) -> dict[str, Any]:
        """Answer ``{"prediction": 12.3}``."""
        return {"prediction": outputs[0, 0]}

    def many(self, outputs: Outputs) -> dict[str, Any]:
        """Answer ``{"predictions": [12.3, ...]}``."""
        return {"predictions": outputs[:, 0]}


class NamedNumbers:
    """Several named numbers a row: regression with multiple outputs."""

    classes: tuple[Label, ...] = ()

    def __init__(self, *names: str) -> None:
        self.outputs: tuple[Label, ...] = names
        self._names = names

    def one(self, outputs: Outputs) -> dict[str, Any]:
        """Answer ``{"prediction": {"low": 1.0, "high": 2.0}}``."""
        return {"prediction": dict(zip(self._names, outputs[0]))}

    def many(self, outputs: Outputs) -> dict[str, Any]:
        """Answer ``{"predictions": [{"low": 1.0, "high": 2.0}, ...]}``."""
        return {"predictions": [dict(zip(self._names, row)) for row in outputs]}


class Classes:
    """A class and the probability of each: the outputs are probabilities."""

    def __init__(self, *labels: Label) -> None:
        self.outputs: tuple[Label, ...] = labels
        self.classes = labels
        self._keys = tuple(map(str, labels))

    def one(self, outputs: Outputs) -> dict[str, Any]:
        """Answer ``{"prediction": "leave", "probabilities": {"stay": 0.2, "leave": 0.8}}``."""
        probabilities = outputs[0]
        return {
            "prediction": self.outputs[probabilities.argmax()],
            "probabilities": dict(zip(self._keys, probabilities)),
        }

    def many(self, outputs: Outputs) -> dict[str, Any]:
        """Answer the predictions, the classes, and the probabilities in that order."""
        return {
            "predictions": [self.outputs[index] for index in outputs.argmax(axis=1).tolist()],
            "classes": self.outputs,
            "probabilities": outputs,
        }


class Scores:
    """A class and the raw score of each, or of two classes that of the second alone."""

    def __init__(self, *labels: Label) -> None:
        self.classes = labels
        self.outputs: tuple[Label, ...] = labels if len(labels) > 2 else labels[1:]
        self._keys = tuple(map(str, self.outputs))

    def one(self, outputs: Outputs) -> dict[str, Any]:
        """Answer ``{"prediction": "leave", "scores": {"leave": 1.4}}``."""
        (prediction,) = self._predicted(outputs)
        return {"prediction": prediction, "scores": dict(zip(self._keys, outputs[0]))}

    def many(self, outputs: Outputs) -> dict[str, Any]:
        """Answer the predictions, the classes that have a score, and these in that order."""
        predictions = self._predicted(outputs)
        return {"predictions": predictions, "classes": self.outputs, "scores": outputs}

    def _predicted(self, outputs: Outputs) -> list[Label]:
        """Name the class with the highest score; of two the second, if its score is above 0."""
        best = outputs.argmax(axis=1) if len(self.outputs) > 1 else outputs[:, 0] > 0
        return [self.classes[index] for index in best.tolist()]
