"""`stampede new`: ten artifacts of five libraries, each trained in another way, and their service.

What it answers over HTTP is compared with what each library said of the same held-out rows, among
them categories that training had not seen, gaps, and keys in another order.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import BIN, UV, environment, run, succeed
from support.repositories import ROOT
from support.services import Server, serve

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("new")]

TRAINING = ROOT / "tests/training/ten_artifacts.py"
# As a service has them, and what others train with.
LIBRARIES = (
    "catboost>=1.2.10,<1.3",
    "lightgbm>=4.6,<4.8",
    "onnx>=1.19",
    "onnxruntime>=1.27,<1.32",
    "pandas",
    "scikit-learn>=1.9,<1.10",
    "skl2onnx",
    "skops>=0.16,<0.17",
    "xgboost-cpu>=3.2,<3.3",
)
ARTIFACTS = {
    "xgb_frame": ".ubj",
    "xgb_matrix": ".json",
    "lgb_frame": ".txt",
    "lgb_matrix": ".txt",
    "sk_columns": ".skops",
    "sk_boosting": ".joblib",
    "cat_frame": ".cbm",
    "cat_pool": ".cbm",
    "onnx_regressor": ".onnx",
    "onnx_classifier": ".onnx",
}
SECONDS = 1800
# What the models of changed contracts predict, at most how far from their libraries.
PREDICT = """
import json, sys
from pathlib import Path
import numpy as np
from ten_models.errors import ServiceError
from ten_models.ml_models import CONTRACTS
from ten_models.serving.runtimes import RUNTIMES

said = {}
for contract in CONTRACTS:
    if contract.name not in sys.argv[3:]:
        continue
    folder = Path(sys.argv[1])
    told = json.loads((folder / f"{contract.name}.expected.json").read_text())
    data = (folder / "ten-models/models" / contract.artifact).read_bytes()
    body = json.dumps({"instances": told["instances"]}).encode()
    try:
        model = RUNTIMES[contract.framework].load(data, contract)
        found = model.predict(contract.matrix(contract.parse_batch(body, 1000)))
        said[contract.name] = float(np.abs(found - np.array(told[sys.argv[2]])).max())
    except ServiceError as error:
        said[contract.name] = str(error)
print(json.dumps(said))
"""
# Of the largest prediction of an output.
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the artifacts, their rows, and what their libraries predict."""
    folder = tmp_path_factory.mktemp("trained")
    packages = [f"--with={library}" for library in LIBRARIES]
    command = [UV, "run", "--quiet", "--isolated", "--no-project", "--no-config", *packages]
    succeed([*command, "python", TRAINING, folder], cwd=folder, seconds=SECONDS)
    return folder


@pytest.fixture(scope="module")
def service(trained: Path, template: Path) -> Path:
    """Make one service of all ten, and return its folder."""
    files = [trained / f"{name}{ending}" for name, ending in ARTIFACTS.items()]
    rows = [f"--rows={trained / name}.csv" for name in ARTIFACTS]
    folder = trained / "ten-models"
    options = [*rows, "--target=target", "--trust-pickle", f"--template={template}@v0.0.0"]
    done = run(
        [BIN / "stampede", "new", *files, folder.name, *options], cwd=trained, seconds=SECONDS
    )
    assert done.returncode == 0, done.stderr
    assert "reading a pickle runs whatever is in it" in done.stderr
    assert "cd ten-models && make serve" in done.stdout
    return folder


@pytest.fixture(scope="module")
def server(service: Path) -> Iterator[Server]:
    with serve(service, "ten-models") as running:
        yield running


@pytest.mark.parametrize("name", ARTIFACTS)
def test_predictions_are_the_librarys_own(
    name: str, trained: Path, server: Server, record_property: Callable[[str, object], None]
) -> None:
    told = json.loads((trained / f"{name}.expected.json").read_text())
    path, instances = f"/predict/{name}/batch", told["instances"]

    status, answer = server.request("POST", path, {"instances": instances})
    _, columns = server.request("POST", path, {"columns": by_columns(instances)})

    assert status == 200, answer
    assert columns == answer
    difference, largest = compared(outputs_of(answer), told["outputs"])
    record_property("largest difference", difference)
    print(  # noqa: T201 - what `pytest -s` is asked for.
        f"\n{name}: {difference:.2g} of {largest:.4g} at most, {len(instances)} rows"
    )
    assert difference <= TOLERANCE * largest


def by_columns(instances: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [instance[name] for instance in instances] for name in instances[0]}


def outputs_of(answer: dict[str, Any]) -> list[list[float]]:
    """Return what a batch answers as one list of numbers for each row."""
    if "probabilities" in answer:
        rows: list[list[float]] = answer["probabilities"]
        return rows
    return [[value] for value in answer["predictions"]]


def compared(found: list[list[float]], expected: list[list[float]]) -> tuple[float, float]:
    """Return the largest difference, and the largest expected value."""
    pairs = [
        (one, other)
        for row, wanted in zip(found, expected, strict=True)
        for one, other in zip(row, wanted, strict=True)
    ]
    return max(abs(one - other) for one, other in pairs), max(abs(other) for _, other in pairs)


def test_a_category_that_the_library_refuses_is_refused(trained: Path, server: Server) -> None:
    """XGBoost raises for a category of a data frame that it does not know."""
    told = json.loads((trained / "xgb_frame.expected.json").read_text())
    instance = told["instances"][0] | {"bmi": "never seen"}

    status, problem = server.request("POST", "/predict/xgb_frame", instance)

    assert status == 422
    assert [error["pointer"] for error in problem["errors"]] == ["/bmi"]


def test_values_in_another_order_change_no_prediction(
    service: Path, trained: Path, tmp_path: Path
) -> None:
    """Where an artifact knows its categories by name; those that know an order refuse another."""
    names = ("sk_columns", "sk_boosting", "cat_frame", "lgb_frame", "xgb_frame")
    shutil.copytree(service / "src", tmp_path / "src")
    for name in names:
        contract = tmp_path / f"src/ten_models/contracts/{name}.py"
        text = contract.read_text()
        values = re.findall(r'            "\w+",\n' * 2, text)
        assert values, text
        for pair in values:
            first, second = pair.splitlines(keepends=True)
            text = text.replace(pair, second + first)
        contract.write_text(text)

    assert differences(service, trained, tmp_path, "outputs", names) == {
        "sk_columns": 0,
        "sk_boosting": 0,
        "cat_frame": 0,
        "lgb_frame": "was fitted on the categories [['full', 'light'], ['brown', 'red', 'violet']],"
        " in this order",
        "xgb_frame": "was fitted on sex of ['female', 'male'], in this order, not of"
        " ['male', 'female']",
    }


def differences(
    service: Path, trained: Path, changed: Path, kind: str, names: Iterable[str]
) -> dict[str, float | str]:
    """Return how far models of a changed service are from what their libraries said."""
    done = run(
        [service / ".venv/bin/python", "-c", PREDICT, trained, kind, *names],
        cwd=changed,
        variables={"PYTHONPATH": str(changed / "src")},
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, float | str] = json.loads(done.stdout)
    return said


def test_raw_scores_are_the_librarys_own(service: Path, trained: Path, tmp_path: Path) -> None:
    """The same artifacts, of contracts that answer raw scores: equal in each bit."""
    names = ("xgb_matrix", "lgb_frame", "cat_frame")
    shutil.copytree(service / "src", tmp_path / "src")
    for name in names:
        contract = tmp_path / f"src/ten_models/contracts/{name}.py"
        contract.write_text(contract.read_text().replace("Classes", "Scores"))

    assert differences(service, trained, tmp_path, "scores", names) == dict.fromkeys(names, 0)


def test_the_first_call_is_as_told(service: Path, server: Server) -> None:
    """`make call`, which the command recommends, answers."""
    done = run(
        ["make", "call", "MODEL=sk_columns"],
        cwd=service,
        variables=environment(PORT=str(server.port)),
    )

    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["probabilities"]) == {"Asti", "Bra", "Chieri"}


def test_the_code_is_as_written_by_hand(service: Path) -> None:
    """Each option of a feature is used here: the service's own rules hold all the same."""
    for command in (["ruff", "format", "--check"], ["ruff", "check"], ["mypy"]):
        done = run([service / ".venv/bin" / command[0], *command[1:]], cwd=service, seconds=600)

        assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_artifact_leaves_a_message(trained: Path, template: Path) -> None:
    broken = trained / "broken.skops"
    broken.write_bytes((trained / "sk_columns.skops").read_bytes()[:-100])

    done = run(
        [BIN / "stampede", "new", broken, trained / "none", f"--template={template}@v0.0.0"],
        cwd=trained,
        seconds=SECONDS,
    )

    assert done.returncode == 1
    assert "broken.skops: " in done.stderr
    assert not (trained / "none").exists()
