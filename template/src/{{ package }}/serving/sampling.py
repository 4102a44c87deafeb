"""Rows drawn from the declared features, where there are no real ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from ..types import Matrix
from .contract import Contract, Feature
from .reading import FLOAT32_MAX, INTEGER_MAX

NULL_SHARE = 0.05


def draw_rows(contract: Contract, rows: int, *, seed: int = 0) -> Matrix:
    """Draw rows that the contract accepts: shape (rows, features).

    Numbers are uniform between their bounds, or spread around the example where they
    have none; nullable values are missing once in twenty times.
    """
    generator = np.random.default_rng(seed)
    matrix: Matrix = np.empty((rows, len(contract.features)), contract.dtype)
    fields = contract.instance.model_fields.values()
    for index, (feature, field) in enumerate(zip(contract.features, fields)):
        low, high = _bounds(feature, field)
        values = generator.uniform(low, high, rows)
        matrix[:, index] = values if feature.type == "float" else np.floor(values)
        if type(None) in getattr(field.annotation, "__args__", ()):
            matrix[generator.random(rows) < NULL_SHARE, index] = math.nan
    return matrix


def _bounds(feature: Feature, field: FieldInfo) -> tuple[float, float]:
    """Half-open interval to draw from: codes for categories, 0 and 1 for bool."""
    if feature.type == "bool":
        return 0, 2
    if feature.type == "category":
        return 0, len(feature.categories)
    low: Any = next(mark.ge for mark in field.metadata if isinstance(mark, Ge))
    high: Any = next(mark.le for mark in field.metadata if isinstance(mark, Le))
    example = float(field.examples[0]) if field.examples else 0.0
    spread = max(1.0, abs(example))
    if abs(low) in (FLOAT32_MAX, INTEGER_MAX):
        low = min(example, high) - spread
    if abs(high) in (FLOAT32_MAX, INTEGER_MAX):
        high = max(example, low) + spread
    return low, high + (1 if feature.type == "int" else 0)
