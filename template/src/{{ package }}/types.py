"""The types that every layer shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

Framework: TypeAlias = Literal["sklearn", "xgboost", "lightgbm", "catboost", "onnx"]
ArtifactFormat: TypeAlias = Literal["native", "joblib", "onnx"]
Task: TypeAlias = Literal["regression", "classification", "multioutput_regression", "ranking"]

Matrix: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
"""Rows of features: shape (rows, features), missing values as NaN, categories as their index."""

Outputs: TypeAlias = NDArray[np.floating[Any]]
"""What a model answers: shape (rows, outputs); probabilities in the order of the classes."""

Label: TypeAlias = str | int


class FieldError(TypedDict):
    """One thing wrong in a request's body. The value itself is never echoed."""

    pointer: str  # RFC 6901
    code: str
    message: str


class Model(Protocol):
    """A fitted model behind the framework that it was trained with."""

    def predict(self, matrix: Matrix) -> Outputs:
        """Predict every row of *matrix*."""
        ...


@dataclass(frozen=True, slots=True)
class Instances:
    """Validated instances of one request or of several that are predicted together."""

    matrix: Matrix
    features: tuple[str, ...]

    def column(self, feature: str) -> NDArray[np.floating[Any]]:
        """Values of one feature, by its name on the wire: shape (rows,)."""
        return self.matrix[:, self.features.index(feature)]


Predictor: TypeAlias = Callable[[Instances, Model], Outputs]
