"""The rendered services: default answers, other formats, and a large model."""

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from benchmarks.places import BODIES, HERE, INSIDE, ROOT, WORK, FailedError, run, say

# The folder of each; the default one first, whose environment and models the designs use.
VARIANTS = ("service", "service, ONNX", "service, lean")
MODELS = ("price", "forest")
BIG = "big model"


def answers_of(variant: str) -> dict[str, Any]:
    """Compose the answers of a rendering."""
    answers: dict[str, Any] = yaml.safe_load((HERE / "answers.yml").read_text(encoding="utf-8"))
    if variant == "service, lean":
        answers["runtime"] = "onnx"
    if variant == "service, ONNX":
        for model in answers["models"]:
            model["format"] = "onnx"
    if variant == BIG:
        features = answers["models"][0]["features"]
        model = {"name": "big", "framework": "sklearn", "task": "regression"}
        answers["models"] = [model | {"features": features}]
    return answers


def folder_of(variant: str) -> Path:
    return WORK / variant.replace(", ", "-").replace(" ", "-").lower()


def python_of(variant: str) -> Path:
    """Return the interpreter of the production environment."""
    return folder_of(variant) / ".production/bin/python"


def prepare_services() -> dict[str, str]:
    """Render, install and train all of them; return why some could not be, by their names."""
    variants = (BIG, *VARIANTS)  # what takes longest comes first
    say(f"preparing {', '.join(variants)}")
    # Two at a time: nothing is measured yet, and much of it is waiting for the disk.
    with ThreadPoolExecutor(2) as pool:
        reasons = zip(variants, pool.map(_why_not, variants), strict=True)
    failures = {variant: reason for variant, reason in reasons if reason}
    for variant, reason in failures.items():
        say(f"  {variant} is left out: {reason}")
    if "service" in failures:
        sys.exit("without the default service there is nothing to compare with")
    BODIES.mkdir(parents=True, exist_ok=True)
    service = folder_of("service")
    run([service / ".venv/bin/python", INSIDE / "bodies.py", BODIES], service)
    return failures


def missing_services() -> dict[str, str]:
    """Return the services that the last run could not prepare."""
    return {
        variant: "was not prepared in the run whose services are used"
        for variant in (*VARIANTS, BIG)
        if not python_of(variant).exists()
    }


def _why_not(variant: str) -> str | None:
    try:
        _prepare(variant)
    except FailedError as error:
        return str(error)
    return None


def _prepare(variant: str) -> None:
    folder = folder_of(variant)
    models = folder / "models"
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    answers = folder.with_suffix(".yml")
    answers.write_text(json.dumps(answers_of(variant)), encoding="utf-8")
    copier: list[str | Path] = [Path(sys.executable).with_name("copier"), "copy", "--quiet"]
    copier += ["--defaults", "--vcs-ref", "HEAD", "--data-file", answers]
    # A cache of its own: copies side by side have been seen to disturb one another's.
    run([*copier, ROOT, folder], ROOT, COPIER_CACHE_DIR=str(WORK / f"copier/{folder.name}"))
    # What trains the models, and nothing that tests and linters need.
    run(["uv", "lock", "--quiet"], folder)
    run(["uv", "sync", "--quiet", "--locked", "--no-group", "dev"], folder)
    models.mkdir(exist_ok=True)
    script = "fit_big.py" if variant == BIG else "fit.py"
    run([folder / ".venv/bin/python", INSIDE / script], folder)
    # What the image holds, and nothing that training or tests need.
    sync: list[str | Path] = ["uv", "sync", "--quiet", "--locked", "--no-default-groups"]
    run([*sync, "--group", "team"], folder, UV_PROJECT_ENVIRONMENT=".production")
