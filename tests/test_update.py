"""Models added, removed and changed by answers alone: exactly what tells of them changes."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.repositories import commit, copier, copy, git, snapshot, unmerged_paths
from support.variants import DEFAULTS, SAMPLES

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("update")]

Model = dict[str, Any]
Changes = dict[str, set[str]]

PACKAGE = f"src/{DEFAULTS.package}"
FIRST, SECOND = SAMPLES
EDITED = f"{PACKAGE}/predictors/{FIRST['name']}.py"
RENT: Model = {
    "name": "rent",
    "framework": "xgboost",
    "features": [{"name": "area_m2", "type": "float", "minimum": 0}],
}

NAMING_EVERY_MODEL = {
    ".copier-answers.yml",
    "Dockerfile",
    "Makefile",
    "README.md",
    "deploy/base/deployment.yaml",
    "deploy/pin.sh",
    "docs/api.md",
    "docs/models.md",
    f"{PACKAGE}/ml_models.py",
    f"{PACKAGE}/routes.py",
    "tests/e2e/models.json",
}
SHOWING_AN_EXAMPLE = {".copier-answers.yml", "README.md", "docs/api.md", "tests/e2e/models.json"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return snapshot(tmp_path_factory.mktemp("update") / "template", tag="v1.0.0")


@pytest.fixture(scope="module")
def original(template: Path) -> Path:
    """Return the default service, with a predictor that its team has edited."""
    service = copy(template, template.with_name("service"), DEFAULTS.answers, ref="v1.0.0")
    with (service / EDITED).open("a", encoding="utf-8") as predictor:
        predictor.write("# The team was here.\n")
    commit(service, "Service")
    return service


@pytest.fixture
def service(original: Path, tmp_path: Path) -> Path:
    git("clone", "--quiet", str(original), str(tmp_path / "service"), cwd=tmp_path)
    return tmp_path / "service"


def update(service: Path, models: list[Model]) -> Changes:
    """Give the service these models; return what changed, by git's letter for the change."""
    data_file = service.with_suffix(".answers.yml")
    data_file.write_text(yaml.safe_dump({"models": models}))
    options = ["--vcs-ref=:current:", "--data-file", str(data_file)]

    copier("update", "--quiet", "--defaults", *options, cwd=service)

    assert unmerged_paths(service) == ""
    found: Changes = {}
    for line in git("status", "--porcelain", "--untracked-files=all", cwd=service).splitlines():
        found.setdefault(line[:2].strip(), set()).add(line[3:])
    return found


def first_with(**changes: object) -> list[Model]:
    return [FIRST | changes, SECOND]


def test_another_model_adds_its_files_and_keeps_an_edited_predictor(service: Path) -> None:
    """A model is written beside the others, whose code stays as it is."""
    edited = (service / EDITED).read_bytes()

    found = update(service, [*SAMPLES, RENT])

    assert found == {
        "??": {
            f"{PACKAGE}/contracts/rent.py",
            f"{PACKAGE}/predictors/rent.py",
            "training/rent.py",
        },
        "M": NAMING_EVERY_MODEL,
    }
    assert (service / EDITED).read_bytes() == edited


def test_a_model_less_takes_its_files_and_its_framework_along(service: Path) -> None:
    """Nothing of it is left but what its team keeps in git, and nothing of the other changes."""
    found = update(service, [FIRST])

    assert found == {
        "D": {
            f"{PACKAGE}/contracts/iris.py",
            f"{PACKAGE}/predictors/iris.py",
            f"{PACKAGE}/serving/runtimes/sklearn_runtime.py",
            f"{PACKAGE}/serving/runtimes/sklearn_columns.py",
            f"{PACKAGE}/serving/runtimes/sklearn_shortcuts.py",
            "tests/service/test_columns.py",
            "tests/service/test_shortcuts.py",
            "training/iris.py",
        },
        "M": NAMING_EVERY_MODEL | {"pyproject.toml", f"{PACKAGE}/serving/runtimes/__init__.py"},
    }


def test_another_feature_changes_the_model_s_contract_alone(service: Path) -> None:
    """Beside the contract only what shows an example of it changes."""
    extra = {"name": "extra", "type": "float"}

    found = update(service, first_with(features=[*FIRST["features"], extra]))

    assert found == {"M": {*SHOWING_AN_EXAMPLE, f"{PACKAGE}/contracts/progression.py"}}


def test_another_endpoint_changes_the_model_s_route_alone(service: Path) -> None:
    """Beside contract and route only what names the path changes."""
    found = update(service, first_with(endpoint="/diabetes"))

    assert found == {
        "M": {
            *SHOWING_AN_EXAMPLE,
            "docs/operations.md",
            f"{PACKAGE}/contracts/progression.py",
            f"{PACKAGE}/routes.py",
        }
    }
