"""The rendered services: default answers, other formats, and a large model."""

import json
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from benchmarks.places import (
    BODIES,
    HERE,
    INSIDE,
    ROOT,
    SERVER_CORE,
    WORK,
    FailedError,
    run,
    say,
)

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


def sources_of(variant: str) -> str:
    """Return the PYTHONPATH that puts a service's own code before that of its environment."""
    return str(folder_of(variant) / "src")


def run_inside(variant: str, script: str, *arguments: str | Path) -> Any:
    """Run a script in a service's production environment, where servers run; return its JSON."""
    command = ["taskset", "-c", SERVER_CORE, python_of(variant), INSIDE / script, *arguments]
    return json.loads(run(command, folder_of(variant)))


def prepare_services() -> dict[str, str]:
    """Render, install and train all of them; return why some could not be, by their names."""
    # Two at a time: nothing is measured yet, and much of it is waiting for the disk.
    tasks = (("service", BIG), VARIANTS[1:])
    say(f"preparing {', '.join(variant for task in tasks for variant in task)}")
    failures: dict[str, str] = {}
    with ThreadPoolExecutor(len(tasks)) as pool:
        for found in pool.map(_prepare_all, tasks):
            failures |= found
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


def _prepare_all(variants: Sequence[str]) -> dict[str, str]:
    """Prepare one after the other; return why some could not be."""
    failures = {}
    for variant in variants:
        try:
            _prepare(variant)
        except FailedError as error:
            failures[variant] = str(error)
    return failures


def _prepare(variant: str) -> None:
    folder = folder_of(variant)
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    answers = folder.with_suffix(".yml")
    answers.write_text(json.dumps(answers_of(variant)), encoding="utf-8")
    copier: list[str | Path] = [Path(sys.executable).with_name("copier"), "copy", "--quiet"]
    copier += ["--defaults", "--vcs-ref", "HEAD", "--data-file", answers]
    # A cache of its own: copies side by side have been seen to disturb one another's.
    run([*copier, ROOT, folder], ROOT, COPIER_CACHE_DIR=str(WORK / f"copier/{folder.name}"))
    (folder / "models").mkdir(exist_ok=True)
    if variant == BIG:
        # It needs no other packages than the default service, which comes before it.
        for environment in (".venv", ".production"):
            (folder / environment).symlink_to(folder_of("service") / environment)
        fit: list[str | Path] = [folder / ".venv/bin/python", INSIDE / "fit_big.py"]
        run(fit, folder, PYTHONPATH=sources_of(variant))
        return
    # What trains the models, and nothing that tests and linters need.
    run(["uv", "lock", "--quiet"], folder)
    run(["uv", "sync", "--quiet", "--locked", "--no-group", "dev"], folder)
    run([folder / ".venv/bin/python", INSIDE / "fit.py"], folder)
    # What the image holds, and nothing that training or tests need.
    sync: list[str | Path] = ["uv", "sync", "--quiet", "--locked", "--compile-bytecode"]
    run(
        [*sync, "--no-default-groups", "--group", "team"],
        folder,
        UV_PROJECT_ENVIRONMENT=".production",
    )
