"""What a trained artifact says of its model, whichever library wrote it.

XGBoost's and LightGBM's files are read as they are. The others are read by a script in an
environment of its own, which uv makes: the command needs no library for machine learning.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stampede import boosters
from stampede.dependencies import FOREIGN, uv
from stampede.errors import ProcessError, StampedeError, UsageError
from stampede.features import Column, Model
from stampede.processes import run

READERS = Path(__file__).parent / "readers"
SECONDS = 600.0


@dataclass(frozen=True)
class Kind:
    """How the files with one ending are read."""

    framework: str
    needs: tuple[str, ...] = ()
    """What a service has of the libraries; a test compares them with the template."""
    format: str = "native"
    stored: str = ""
    """The ending in a service, where it is another."""


SKLEARN = ("scikit-learn>=1.9,<1.10", "scipy>=1.17,<1.18", "numpy>=2.3,<2.5")
KINDS = {
    ".ubj": Kind("xgboost"),
    ".json": Kind("xgboost", stored=".ubj"),
    ".txt": Kind("lightgbm"),
    ".cbm": Kind("catboost", ("catboost>=1.2.10,<1.3", "numpy>=2.3,<2.5")),
    ".onnx": Kind("onnx", ("onnx>=1.19",)),
    ".skops": Kind("sklearn", ("skops>=0.16,<0.17", *SKLEARN)),
    ".joblib": Kind("sklearn", ("joblib>=1.5", *SKLEARN), "joblib"),
    ".pkl": Kind("sklearn", ("joblib>=1.5", *SKLEARN), "joblib", ".joblib"),
}
PICKLE = "is a pickle, and reading it runs whatever is in it: give --trust-pickle if you trust it"


def read(file: Path, *, trust_pickle: bool) -> Model:
    """Return the model in *file*.

    Raises:
        UsageError: There is no such file, no such format, or it is a pickle that nobody trusts.
        StampedeError: It cannot be read, or holds what a service cannot serve.
    """
    kind = check(file, trust_pickle=trust_pickle)
    try:
        if kind.needs:
            return _by_library(file, kind)
        return {"xgboost": boosters.xgboost, "lightgbm": boosters.lightgbm}[kind.framework](file)
    except OSError as error:
        raise StampedeError(f"{file}: {error.strerror}") from error
    except StampedeError as error:
        raise type(error)(f"{file}: {error}") from error


def check(file: Path, *, trust_pickle: bool) -> Kind:
    """Return how *file* is read, if it may be.

    Raises:
        UsageError: There is no such file, no such format, or it is a pickle that nobody trusts.
    """
    kind = kind_of(file)
    if not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    if kind.format == "joblib" and not trust_pickle:
        raise UsageError(f"{file}: {PICKLE}")
    return kind


def kind_of(file: Path) -> Kind:
    """Return how *file* is read, by its ending.

    Raises:
        UsageError: It has none of the known ones.
    """
    kind = KINDS.get(file.suffix.lower())
    if kind is None:
        known = ", ".join(KINDS)
        raise UsageError(f"{file}: its ending says nothing of the library (known: {known})")
    return kind


def _by_library(file: Path, kind: Kind) -> Model:
    packages = [f"--with={need}" for need in kind.needs]
    uv_run = (uv(), "run", "--quiet", "--isolated", "--no-project", "--no-config")
    script = READERS / f"{kind.framework}_reader.py"
    for variable in FOREIGN:
        os.environ.pop(variable, None)
    with TemporaryDirectory(prefix="stampede.") as folder:
        try:
            arguments = ("python", "-I", script, file.resolve())
            told = run(*uv_run, *packages, *arguments, cwd=Path(folder), seconds=SECONDS)
        except ProcessError as error:
            raise StampedeError(str(error).removeprefix("error: ")) from error
    return _model(json.loads(told), kind)


def _model(told: dict[str, Any], kind: Kind) -> Model:
    columns = [Column(**column) for column in told.pop("columns")]
    return Model(kind.framework, kind.format, columns=columns, **told)
