"""Models published to a real S3 server and a real MLflow, fetched from there, and served."""

import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from conftest import Render
from support.processes import environment, run, succeed
from support.services import free_port, serve
from support.stores import BUCKET, mlflow, s3, stalling
from support.variants import Variant, model

pytestmark = pytest.mark.deploy

MODEL = model("price", "xgboost")
ARTIFACT, SEAL = "price.ubj", "price.manifest.json"
OTHER = f"sha256:{'0' * 64}"
SERVERS = {"object_store": s3, "mlflow": mlflow}
# What a hand in the wrong place does: where, and what.
WRITE = """
import sys
from from_object_store.serving.transfer import Place
where, folder, name, content = sys.argv[1:]
Place(where, folder).write(name, content.encode())
"""
# Enough for the seal and the answers of MLflow, and less than the artifact.
STALL_BYTES = 20_000


@dataclass(frozen=True)
class Published:
    """A service with a trained model, and the store that it publishes to."""

    variant: Variant
    root: Path
    port: int

    @property
    def command(self) -> Path:
        return self.root / ".venv/bin" / self.variant.service_name

    @property
    def pin(self) -> str:
        """Publish the model, unless that was done, and return its pin."""
        return succeed_with(self, "publish", "price").strip()

    def variables(self, **others: str) -> dict[str, str]:
        """Return how to reach the store, on another *port* if *others* say so."""
        address = f"http://127.0.0.1:{others.pop('port', self.port)}"
        if self.variant.answers["model_source"] == "mlflow":
            return {"MLFLOW_TRACKING_URI": address} | others
        return {
            "MODEL_STORE": f"s3://{BUCKET}/team",
            "AWS_ENDPOINT_URL": address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        } | others


def succeed_with(service: Published, *words: str, **others: str) -> str:
    done = run_with(service, *words, **others)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_with(service: Published, *words: str, **others: str) -> subprocess.CompletedProcess[str]:
    variables = service.variables(**others)
    return run([service.command, *words], cwd=service.root, variables=variables, seconds=120)


def in_one_worker(source: str) -> Any:
    return pytest.param(source, marks=pytest.mark.xdist_group(source))


@pytest.fixture(scope="module", params=[in_one_worker(source) for source in SERVERS])
def service(
    request: pytest.FixtureRequest, render: Render, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Published]:
    source = request.param
    name = f"from-{source.replace('_', '-')}"
    answers = {"service_name": name, "model_source": source, "models": [MODEL]}
    variant = Variant(name, answers)
    root = render(variant).root
    succeed(["make", "setup", "train"], cwd=root, seconds=600)
    with SERVERS[source](tmp_path_factory.mktemp(source)) as port:
        yield Published(variant, root, port)


def test_what_is_published_is_fetched_verified_and_served(
    service: Published, tmp_path: Path
) -> None:
    """From the pin that `publish` prints to an answer of exactly that model."""
    first = run_with(service, "publish", "price")
    second = run_with(service, "publish", "price")
    model_dir = tmp_path / "models"
    variables = {"MODEL_DIR": str(model_dir), "MODEL_DIGESTS": first.stdout.strip()}

    fetched = succeed_with(service, "fetch", **variables)
    again = succeed_with(service, "fetch", **variables)
    with serve(service.root, service.variant.service_name, **variables) as server:
        status, answer = server.request("POST", "/predict/price", {"x": 1.5, "y": -2})
        _, listed = server.request("GET", "/models")

    assert first.returncode == 0
    assert "error" not in first.stderr
    assert second.stderr == "price is published already\n"
    assert first.stdout == second.stdout
    assert fetched == again == succeed_with(service, "verify", **variables)
    assert _contents(model_dir) == {
        name: (service.root / "models" / name).read_bytes() for name in (ARTIFACT, SEAL)
    }
    assert status == 200
    assert isinstance(answer["prediction"], float)
    assert f"price={listed['models'][0]['digest']}" == first.stdout.strip()


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_pin_that_was_never_published_is_refused(service: Published, tmp_path: Path) -> None:
    """One line says so, and the model folder stays as it was."""
    assert service.pin != f"price={OTHER}"

    done = run_with(service, "fetch", MODEL_DIR=str(tmp_path), MODEL_DIGESTS=f"price={OTHER}")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert OTHER.removeprefix("sha256:") in done.stderr
    assert _contents(tmp_path) == {}


def test_a_store_that_is_down_is_told_in_bounded_time(service: Published, tmp_path: Path) -> None:
    """A handful of attempts, then one line with the address."""
    port = str(free_port())
    started = time.monotonic()

    done = run_with(
        service, "fetch", port=port, MODEL_DIR=str(tmp_path), MODEL_DIGESTS=f"price={OTHER}"
    )

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr
    assert time.monotonic() - started < 45
    assert _contents(tmp_path) == {}


def test_a_fetch_that_is_killed_leaves_no_model(service: Published, tmp_path: Path) -> None:
    """Half a download never has a model's name, and the next fetch makes it whole."""
    assert (service.root / "models" / ARTIFACT).stat().st_size > STALL_BYTES
    variables = {"MODEL_DIR": str(tmp_path), "MODEL_DIGESTS": service.pin}

    with stalling(service.port, STALL_BYTES) as (port, stalled):
        _kill_in_the_middle(service, stalled, "fetch", port=str(port), **variables)

    (left,) = _contents(tmp_path)
    assert left.endswith(".part")
    assert run_with(service, "verify", **variables).returncode == 1
    succeed_with(service, "fetch", **variables)
    assert {*_contents(tmp_path)} == {ARTIFACT, SEAL}


def _kill_in_the_middle(service: Published, stalled: Event, *words: str, **others: str) -> None:
    """Start a command whose connection stalls, and kill it while it waits."""
    process = subprocess.Popen(
        [service.command, *words],
        cwd=service.root,
        env=environment(**service.variables(**others)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stalled.wait(60)
    still_runs = process.poll() is None
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert stalled.is_set()
    assert still_runs


def test_a_publication_that_is_killed_publishes_nothing(service: Published, tmp_path: Path) -> None:
    """What went up has no seal, and so is no model; to publish again makes it one."""
    other = tmp_path / "other"
    other.mkdir()
    for name in (ARTIFACT, SEAL):
        (other / name).write_bytes((service.root / "models" / name).read_bytes())
    training = {"MODEL_DIR": str(other)}
    # Another artifact than the one that is published already: trailing space is no part of UBJSON.
    with (other / ARTIFACT).open("ab") as artifact:
        artifact.write(b"N")
    succeed_with(service, "seal", "price", **training)
    pin = succeed_with(service, "verify", **training).split()[-1]
    fetching = {"MODEL_DIR": str(tmp_path / "models"), "MODEL_DIGESTS": f"price={pin}"}

    with stalling(service.port, STALL_BYTES) as (port, stalled):
        _kill_in_the_middle(service, stalled, "publish", "price", port=str(port), **training)

    assert run_with(service, "fetch", **fetching).returncode == 1
    assert succeed_with(service, "publish", "price", **training) == f"price={pin}\n"
    succeed_with(service, "fetch", **fetching)


@pytest.mark.parametrize("service", [in_one_worker("object_store")], indirect=True)
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (ARTIFACT, "short", "holds 5 bytes, not"),
        (SEAL, '{"model": "price"', "not a manifest"),
    ],
)
def test_a_truncated_object_is_refused_by_its_name(
    service: Published, tmp_path: Path, name: str, content: str, reason: str
) -> None:
    """Whatever wrote it: a file that is shorter than its seal says is never a model here."""
    pin = service.pin
    where = f"s3://{BUCKET}/truncated"
    variables = {"MODEL_DIR": str(tmp_path), "MODEL_DIGESTS": pin, "MODEL_STORE": where}
    succeed_with(service, "publish", "price", MODEL_STORE=where)
    folder = f"price/{pin.removeprefix('price=sha256:')}"

    written = run(
        [service.root / ".venv/bin/python", "-c", WRITE, where, folder, name, content],
        cwd=service.root,
        variables=service.variables(),
    )
    done = run_with(service, "fetch", **variables)

    assert written.returncode == 0, written.stderr
    assert done.returncode == 1
    assert f"error: {name} in {where}/{folder}" in done.stderr
    assert reason in done.stderr
    assert _contents(tmp_path) == {}
