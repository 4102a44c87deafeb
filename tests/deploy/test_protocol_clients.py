"""Clients of other servers' protocols, from their own packages, against the running service."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import Render
from support.instances import draw
from support.processes import UV, succeed
from support.services import Server, serve
from support.variants import DEFAULTS, Variant

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("containers")]

SCRIPTS = Path(__file__).with_name("clients")
ROWS = 7

# What each client's own environment has; exact, for it is what docs/decisions/0030 speaks of.
OPEN_INFERENCE = {
    "triton.py": ["tritonclient[http]==2.73.0"],
    "kserve_rest.py": ["kserve==0.21.0"],
    "mlserver_types.py": ["mlserver==1.7.1", "pandas<3"],
}
MLFLOW = "mlflow_scoring.py"
PACKAGES = OPEN_INFERENCE | {MLFLOW: ["mlflow-skinny==3.17.2", "pandas", "requests", "scipy"]}


@pytest.fixture(scope="module")
def server(service: Path) -> Iterator[Server]:
    with serve(service, DEFAULTS.service_name) as server:
        yield server


@pytest.fixture(scope="module")
def asked() -> list[dict[str, Any]]:
    """Return instances of each model; of the values that a float32 holds as well."""
    random = Random(0)
    return [
        {
            "name": model["name"],
            "endpoint": model["endpoint"],
            "features": [feature["name"] for feature in model["features"]],
            "instances": [
                {
                    name: round(value * 8) / 8 if isinstance(value, float) else value
                    for name, value in draw(model["features"], random).items()
                }
                for _ in range(ROWS)
            ],
        }
        for model in DEFAULTS.models
    ]


@pytest.fixture(scope="module")
def expected(server: Server, asked: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return what the service's own endpoints predict for them."""
    predictions = {}
    for model in asked:
        body = {"instances": model["instances"]}
        status, answer = server.request("POST", f"{model['endpoint']}/batch", body)
        assert status == 200, answer
        predictions[model["name"]] = answer["predictions"]
    return predictions


def speak(script: str, url: str, asked: object, cwd: Path) -> dict[str, Any]:
    """Run a client with its packages, and return what it says it was answered."""
    options = ["--isolated", "--no-project", "--python", "3.11"]
    options += [part for package in PACKAGES[script] for part in ("--with", package)]
    command: list[str | Path] = [UV, "run", *options, "python", SCRIPTS / script, url]
    output = succeed(command, cwd=cwd, seconds=600, stdin=json.dumps(asked))
    answers: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answers


@pytest.mark.parametrize("script", OPEN_INFERENCE)
def test_clients_of_the_open_inference_protocol_are_answered(
    script: str,
    server: Server,
    asked: list[dict[str, Any]],
    expected: dict[str, list[Any]],
    tmp_path: Path,
) -> None:
    """Metadata, health, and predictions equal to the service's own in every form they speak."""
    # Triton's client takes a host alone.
    scheme = "" if script == "triton.py" else "http://"

    answers = speak(script, f"{scheme}127.0.0.1:{server.port}", asked, tmp_path)

    assert len(answers) >= 2 * len(asked)
    for form, predictions in answers.items():
        assert predictions == pytest.approx(expected[form.partition(",")[0]], rel=1e-6), form


@pytest.fixture(scope="module")
def mlflow_server(service: Path, render: Render) -> Iterator[Server]:
    """Serve the models of the service with a rendering that answers MLflow's callers too."""
    root = render(Variant("mlflow", {"mlflow_invocations": True})).root
    for name in ("models", "uv.lock"):
        (root / name).symlink_to(service / name)
    succeed(["make", "setup"], cwd=root, seconds=600)
    with serve(root, DEFAULTS.service_name) as server:
        yield server


def test_mlflow_s_own_client_is_answered(
    mlflow_server: Server,
    asked: list[dict[str, Any]],
    expected: dict[str, list[Any]],
    tmp_path: Path,
) -> None:
    """What its helpers write is taken, and what is answered they read: the same predictions."""
    url = f"http://127.0.0.1:{mlflow_server.port}"

    answers = speak(MLFLOW, url, asked, tmp_path)

    assert len(answers) > 5 * len(asked)
    for form, predictions in answers.items():
        assert predictions == pytest.approx(expected[form.partition(",")[0]], rel=1e-6), form
