"""The seal of a model: what was trained, with what, and what it predicted then."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ArtifactError
from ..types import ArtifactFormat, Framework, Label, Matrix, Outputs, Task
from .contract import Contract, FeatureType

RELATIVE_TOLERANCE = 1e-5
"""Room for the order of float32 additions, which differs between machines."""


class Frozen(BaseModel):
    """Base of the manifest's parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SealedFeature(Frozen):
    """One column of the matrix that the model was fitted on."""

    name: str
    type: FeatureType
    categories: tuple[Label, ...] = ()


class GoldenRows(Frozen):
    """Rows with the predictions of the model as trained."""

    rows: Annotated[list[list[float | None]], Field(min_length=1)]
    predictions: list[list[float]]
    relative_tolerance: float = RELATIVE_TOLERANCE

    def matrix(self) -> Matrix:
        """Rows as a matrix, missing values as NaN: shape (rows, features)."""
        return np.array(self.rows, dtype=np.float64)

    def check(self, outputs: Outputs) -> None:
        """Compare what the model predicts now with what it predicted when it was trained.

        The tolerance is relative to the largest prediction of each output.

        Raises:
            ArtifactError: a row differs; the text names the row and the difference.
        """
        expected = np.array(self.predictions, dtype=np.float64)
        if outputs.shape != expected.shape:
            raise ArtifactError(f"golden rows give shape {outputs.shape}, not {expected.shape}")
        difference = np.abs(outputs - expected)
        allowed = self.relative_tolerance * np.abs(expected).max(axis=0)
        # Not "difference > allowed", which is false for NaN.
        wrong = ~(difference <= allowed)
        if wrong.any():
            row, output = np.argwhere(wrong)[0]
            raise ArtifactError(
                f"golden row {row} predicts {outputs[row, output]:.9g}, not"
                f" {expected[row, output]:.9g} as sealed (off by {difference[row, output]:.3g})"
            )


class FeatureShares(Frozen):
    """How one feature was distributed in the rows that the model was trained on."""

    name: str
    edges: tuple[float, ...]
    """Where a bin ends and the next begins; a category's code is a bin of its own."""
    shares: tuple[float, ...]
    """Share of the rows in each bin, and last of those without a value."""


class DerivedRows(Frozen):
    """Instances as callers send them, and the rows of the matrix that they were at sealing."""

    instances: list[dict[str, Any]]
    rows: list[list[float | None]]


class Compiled(Frozen):
    """What an ONNX artifact was compiled from, and the proof that it predicts the same."""

    artifact: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size_bytes: int
    versions: dict[str, str]
    rows: int
    largest_difference: float  # relative to the largest prediction of its output


class Manifest(Frozen):
    """What `seal` writes beside the artifact, and what every start verifies."""

    manifest_version: Literal[1] = 1
    model: str
    artifact: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size_bytes: int
    framework: Framework
    format: ArtifactFormat
    task: Task
    versions: dict[str, str]
    features: tuple[SealedFeature, ...]
    outputs: tuple[Label, ...]
    output: Literal["raw"] | None = None
    """What a classifier was sealed for, if not for probabilities."""
    golden: GoldenRows
    distribution: tuple[FeatureShares, ...] | None = None
    """Of each feature, where the service watches for drift."""
    derived: DerivedRows | None = None
    compiled: Compiled | None = None

    @property
    def digest(self) -> str:
        """Digest as it is pinned, logged and sent: ``sha256:<hex>``."""
        return f"sha256:{self.sha256}"

    def check_contract(self, contract: Contract) -> None:
        """Compare the sealed model with what the service's contract describes.

        Raises:
            ArtifactError: the model was sealed for another contract.
        """
        for part in ("model", "framework", "format", "task", "artifact"):
            sealed = getattr(self, part)
            declared = contract.name if part == "model" else getattr(contract, part)
            if sealed != declared:
                raise ArtifactError(f"was sealed with {part} {sealed!r}, not {declared!r}")
        if self.features != sealed_features(contract):
            raise ArtifactError("was sealed with other features than the contract's")
        if (self.output == "raw") != contract.raw:
            other = ("probabilities", "raw scores")
            sealed, declared = other if contract.raw else reversed(other)
            raise ArtifactError(f"was sealed for {sealed}, not for {declared}: seal it again")
        if self.outputs != contract.answer.outputs:
            raise ArtifactError("was sealed with other outputs than the contract's")


def sealed_features(contract: Contract) -> tuple[SealedFeature, ...]:
    """Features of *contract* as a manifest holds them."""
    return tuple(
        SealedFeature(name=feature.name, type=feature.type, categories=feature.categories)
        for feature in contract.features
    )


def sha256_of(data: bytes) -> str:
    """Hash the bytes of an artifact."""
    return hashlib.sha256(data).hexdigest()


def manifest_path(folder: Path, model: str) -> Path:
    """Where the manifest of *model* lies."""
    return folder / f"{model}.manifest.json"


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write *manifest* to where its model lies."""
    text = manifest.model_dump_json(indent=2, exclude_none=True)
    manifest_path(folder, manifest.model).write_text(f"{text}\n", encoding="utf-8")


def read_manifest(folder: Path, model: str) -> Manifest:
    """Read the manifest of *model*.

    Raises:
        ArtifactError: there is none, or it is not one.
    """
    path = manifest_path(folder, model)
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ArtifactError(f"{path}: not a manifest: {where}: {first['msg']}") from error
