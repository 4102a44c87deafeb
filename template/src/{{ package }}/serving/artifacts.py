"""Sealing a model, and opening one only after its seal was verified."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np

from ..errors import ArtifactError
from ..types import Matrix, Model, Outputs
from .contract import Contract
from .manifest import (
    GoldenRows,
    Manifest,
    read_manifest,
    sealed_features,
    sha256_of,
    write_manifest,
)
from .runtimes import RUNTIMES

# Formats that hold the library's own objects rather than a stable description of the model.
EXACT_FRAMEWORKS = ("sklearn",)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified model with its manifest."""

    manifest: Manifest
    model: Model


def open_artifact(contract: Contract, folder: Path, *, pinned: str | None = None) -> Artifact:
    """Verify the model of *contract* in *folder* and load it.

    Nothing is deserialised before the hash, the pin and the library versions were found
    right, and the bytes that were hashed are the bytes that are loaded. The golden rows
    are predicted last, which also warms the model up.

    Raises:
        ArtifactError: something is missing or differs; the text names the file.
    """
    manifest = read_manifest(folder, contract.name)
    path = folder / contract.artifact
    try:
        manifest.check_contract(contract)
        data = path.read_bytes()
        _check_bytes(data, manifest, pinned)
        _check_versions(manifest)
        model = _load(data, contract)
        manifest.golden.check(_predict(model, manifest.golden.matrix(), contract))
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}") from error
    return Artifact(manifest, model)


def seal_artifact(
    contract: Contract, folder: Path, rows: Matrix, expected: Outputs | None = None
) -> Manifest:
    """Write the manifest beside the artifact of *contract*.

    Args:
        contract: The contract that the model was trained for.
        folder: Where the artifact lies.
        rows: Golden rows, shape (rows, features).
        expected: What the model predicted for *rows* when it was trained, shape
            (rows, outputs); by default what the artifact predicts now.

    Raises:
        ArtifactError: the artifact is missing, unreadable, or predicts something else.
    """
    path = folder / contract.artifact
    try:
        data = path.read_bytes()
        golden = _golden_rows(_load(data, contract), contract, rows, expected)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}") from error
    manifest = Manifest(
        model=contract.name,
        artifact=contract.artifact,
        sha256=sha256_of(data),
        size_bytes=len(data),
        framework=contract.framework,
        format=contract.format,
        task=contract.task,
        versions=RUNTIMES[contract.framework].versions(),
        features=sealed_features(contract),
        outputs=contract.answer.outputs,
        golden=golden,
    )
    write_manifest(manifest, folder)
    return manifest


def _golden_rows(
    model: Model, contract: Contract, rows: Matrix, expected: Outputs | None
) -> GoldenRows:
    outputs = _predict(model, rows, contract)
    if not np.isfinite(outputs).all():
        raise ArtifactError("predicts NaN or infinity for a golden row")
    golden = GoldenRows(
        rows=[[None if isnan(value) else value for value in row] for row in rows.tolist()],
        predictions=(outputs if expected is None else expected).tolist(),
    )
    golden.check(outputs)
    return golden


def _check_bytes(data: bytes, manifest: Manifest, pinned: str | None) -> None:
    if len(data) != manifest.size_bytes:
        raise ArtifactError(f"holds {len(data)} bytes, not {manifest.size_bytes} as sealed")
    if sha256_of(data) != manifest.sha256:
        raise ArtifactError("is not the file that was sealed: its sha256 differs")
    if pinned is not None and pinned != manifest.digest:
        raise ArtifactError(f"is {manifest.digest}, but MODEL_DIGESTS pins {pinned}")


def _check_versions(manifest: Manifest) -> None:
    """Refuse a library that may read the format differently than its writer."""
    installed = RUNTIMES[manifest.framework].versions()
    for library, version in manifest.versions.items():
        here, sealed = _minor(installed.get(library, "0.0")), _minor(version)
        exact = manifest.framework in EXACT_FRAMEWORKS
        if here != sealed if exact else here < sealed:
            raise ArtifactError(
                f"was sealed with {library} {version}, but {installed.get(library, 'none')} is"
                f" installed: install {'the same minor version' if exact else 'that or a later one'}"
                " or seal the model again"
            )


def _minor(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def _load(data: bytes, contract: Contract) -> Model:
    try:
        return RUNTIMES[contract.framework].load(data, contract)
    except ArtifactError:
        raise
    except Exception as error:  # whatever a library raises on bytes that it cannot read
        reason = str(error).strip().partition("\n")[0]
        raise ArtifactError(f"cannot be loaded: {reason}") from error


def _predict(model: Model, rows: Matrix, contract: Contract) -> Outputs:
    """Predict golden rows, and check that the outputs are as many as the contract has."""
    try:
        outputs = model.predict(rows.astype(contract.dtype))
    except Exception as error:  # a model fitted on other columns fails in its library's own way
        reason = str(error).strip().partition("\n")[0]
        raise ArtifactError(f"fails on its golden rows: {reason}") from error
    width = max(1, len(contract.answer.outputs))
    if outputs.shape != (len(rows), width):
        raise ArtifactError(f"predicts shape {outputs.shape}, not {(len(rows), width)}")
    return outputs
