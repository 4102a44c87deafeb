"""Rendered services at work: set up, trained, tested by themselves, served by Gunicorn."""

import itertools
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import Render
from support.instances import Instance, draw, encode
from support.load import Outcome, post, send
from support.ownership import owners
from support.processes import run, succeed
from support.repositories import git
from support.services import HEADERS, Server, serve, settings
from support.variants import FREE_TEXT, ONLY_ONNX, ONLY_SKLEARN, VARIANTS, Variant

pytestmark = pytest.mark.service

BUILT = ["defaults", "demand", ONLY_SKLEARN.name, ONLY_ONNX.name, FREE_TEXT.name]
DIRECT = Path(__file__).parent / "support/direct.py"
ROWS = 40
LOAD_REQUESTS = 4_000
RELOAD_SECONDS = 60
# Sums of floats in another order; a wrong column or class is further off by far.
RELATIVE_TOLERANCE = 1e-6
# The sums of a compiled model are of narrower floats.
COMPILED_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Model:
    """A model as it was declared."""

    declared: dict[str, Any]

    @property
    def endpoint(self) -> str:
        endpoint: str = self.declared.get("endpoint", f"/predict/{self.declared['name']}")
        return endpoint

    @property
    def compiled(self) -> bool:
        """Whether what answers is not what was trained, but ONNX."""
        return self.declared.get("format") == "onnx" and self.declared["framework"] != "onnx"

    def draw(self, rows: int) -> list[Instance]:
        random = Random(self.declared["name"])
        return [draw(self.declared["features"], random) for _ in range(rows)]


@dataclass(frozen=True)
class Service:
    """A rendered service of one's own, set up and trained."""

    variant: Variant
    root: Path

    @property
    def models(self) -> list[Model]:
        # A lean service compiles what says nothing of its format.
        default = {"format": "onnx"} if self.variant.answers.get("runtime") == "onnx" else {}
        served = [each for each in self.variant.models if "shadow_of" not in each]
        return [Model(default | declared) for declared in served]

    def direct(self, model: Model, instances: list[Instance]) -> list[list[float]]:
        """Return what the artifact predicts when its own library reads it."""
        declared = model.declared
        (artifact,) = (
            path
            for path in (self.root / "models").glob(f"{declared['name']}.*")
            if not path.name.endswith(".manifest.json")
            and not (model.compiled and path.suffix == ".onnx")
        )
        asked = {
            "artifact": str(artifact),
            "framework": declared["framework"],
            "classifies": declared["task"] == "classification",
            "raw": declared.get("output") == "raw",
            "narrow": model.compiled,
            "rows": [encode(instance, declared) for instance in instances],
        }
        python = self.root / ".venv/bin/python"
        answer = json.loads(succeed([python, DIRECT], cwd=self.root, stdin=json.dumps(asked)))
        return _in_declared_order(answer["outputs"], answer["labels"], declared.get("classes"))


def _in_declared_order(
    outputs: list[list[float]], labels: list[Any] | None, classes: list[Any] | None
) -> list[list[float]]:
    """Order probabilities as the answers declare the classes, where the artifact knows them."""
    if classes is None or labels is None or set(labels) != set(classes):
        return outputs
    if len(outputs[0]) == 1:
        # The one score is the second label's.
        return outputs if labels == classes else [[-score] for (score,) in outputs]
    order = [labels.index(label) for label in classes]
    return [[row[index] for index in order] for row in outputs]


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in BUILT],
)
def service(request: pytest.FixtureRequest, render: Render) -> Service:
    """Return a service built as its README says."""
    variant = VARIANTS[request.param]
    root = render(variant).root
    succeed(["make", "setup", "train"], cwd=root, seconds=600)
    return Service(variant, root)


@pytest.fixture(scope="module")
def server(service: Service) -> Iterator[Server]:
    with serve(service.root, service.variant.service_name) as server:
        yield server


def test_the_service_s_own_checks_pass(service: Service) -> None:
    """A new service starts green: its lock, linter, types, schema and tests."""
    succeed(["make", "lint"], cwd=service.root, seconds=900)
    succeed(["make", "schema-check"], cwd=service.root)
    succeed(["make", "test"], cwd=service.root, seconds=900)


def test_what_work_leaves_behind_has_one_owner(service: Service) -> None:
    """Git ignores what nobody shall keep; everything else is somebody's."""
    git("init", "--quiet", cwd=service.root)

    left = git("ls-files", "-z", "--others", "--exclude-standard", cwd=service.root).split("\0")

    assert {"uv.lock", "openapi.json"} <= {*left}
    assert {path: found for path in left[:-1] if len(found := owners(Path(path))) != 1} == {}


def test_predictions_are_those_of_the_model_itself(service: Service, server: Server) -> None:
    """Every endpoint answers what the artifact answers to its own library, singly and in bulk."""
    for model in service.models:
        instances = model.draw(ROWS)
        columns = {name: [i[name] for i in instances] for name in instances[0]}

        singles = [_answer(server, model.endpoint, instance) for instance in instances]
        batch = _answer(server, f"{model.endpoint}/batch", {"instances": instances})
        by_column = _answer(server, f"{model.endpoint}/batch", {"columns": columns})

        expected = service.direct(model, instances)
        assert by_column == batch
        single_outputs = [_outputs(model, single) for single in singles]
        _assert_close(_outputs_of_batch(model, batch), expected, compiled=model.compiled)
        _assert_close(single_outputs, expected, compiled=model.compiled)
        # Of a model in two forms, many rows may be the other's.
        if not model.compiled:
            assert [single["prediction"] for single in singles] == batch["predictions"]


def _answer(server: Server, path: str, body: object) -> dict[str, Any]:
    status, answer = server.request("POST", path, body)
    assert status == 200, answer
    assert isinstance(answer, dict)
    return answer


def scored(classes: list[Any]) -> list[Any]:
    """Return the classes that have a raw score: of two the second alone."""
    return classes if len(classes) > 2 else classes[1:]


def predicted(classes: list[Any], scores: list[float]) -> Any:
    """Return the class that raw scores tell."""
    scores = scores if len(scores) > 1 else [0.0, *scores]
    return classes[scores.index(max(scores))]


def _outputs(model: Model, answer: dict[str, Any]) -> list[float]:
    """Return the numbers of one answer, in the order of declaration."""
    classes: list[Any] = model.declared.get("classes", [])
    if "scores" in answer:
        assert list(answer["scores"]) == [str(label) for label in scored(classes)]
        assert answer["prediction"] == predicted(classes, [*answer["scores"].values()])
        return [*answer["scores"].values()]
    if classes:
        probabilities = [answer["probabilities"][str(label)] for label in classes]
        assert answer["prediction"] == classes[probabilities.index(max(probabilities))]
        return probabilities
    return _numbers(model, answer["prediction"])


def _outputs_of_batch(model: Model, answer: dict[str, Any]) -> list[list[float]]:
    if classes := model.declared.get("classes"):
        if "scores" in answer:
            assert answer["classes"] == scored(classes)
            scores: list[list[float]] = answer["scores"]
            return scores
        assert answer["classes"] == classes
        rows: list[list[float]] = answer["probabilities"]
        return rows
    return [_numbers(model, prediction) for prediction in answer["predictions"]]


def _numbers(model: Model, prediction: Any) -> list[float]:
    outputs = model.declared.get("outputs")
    return [prediction[name] for name in outputs] if outputs else [prediction]


def _assert_close(found: list[list[float]], expected: list[list[float]], *, compiled: bool) -> None:
    largest = max(abs(value) for row in expected for value in row)
    allowed = COMPILED_TOLERANCE * largest if compiled else 1e-9
    assert len(found) == len(expected)
    for row, expected_row in zip(found, expected, strict=True):
        for value, expected_value in zip(row, expected_row, strict=True):
            close = math.isclose(value, expected_value, rel_tol=RELATIVE_TOLERANCE, abs_tol=allowed)
            assert close, (row, expected_row)


def _requests(service: Service) -> Iterator[bytes]:
    """Yield requests to all endpoints without end; one in ten is a batch."""
    bodies: list[tuple[str, Any]] = []
    for model in service.models:
        instances = model.draw(ROWS)
        bodies += [(model.endpoint, instance) for instance in instances]
        batches = [instances[i : i + 10] for i in range(0, ROWS, 10)]
        bodies += [(f"{model.endpoint}/batch", {"instances": batch}) for batch in batches]
    Random(0).shuffle(bodies)
    ready = [
        post(path, json.dumps(body, ensure_ascii=False).encode(), HEADERS) for path, body in bodies
    ]
    return itertools.cycle(ready)


def test_thousands_of_requests_from_32_clients_are_all_answered(
    service: Service, server: Server
) -> None:
    """Under load no request is refused, fails or goes without an answer."""
    requests = itertools.islice(_requests(service), LOAD_REQUESTS)

    outcome = send(server.port, requests, connections=32)

    assert outcome == Outcome(Counter({200: LOAD_REQUESTS}), [])


def test_a_reload_replaces_the_workers_and_loses_no_request(
    service: Service, server: Server
) -> None:
    """SIGHUP brings new workers while clients go on, and none of them notices."""
    before = server.workers()
    assert len(before) == 2
    done = threading.Event()
    requests = itertools.takewhile(lambda _: not done.is_set(), _requests(service))

    with ThreadPoolExecutor() as background:
        load = background.submit(send, server.port, requests, connections=8)
        try:
            server.reload()
            replaced = _eventually(lambda: len(now := server.workers()) == 2 and not now & before)
        finally:
            done.set()
    outcome = load.result()

    assert replaced
    assert outcome.lost == []
    assert outcome.statuses.keys() == {200}


def _eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + RELOAD_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_sigterm_ends_it_cleanly(service: Service) -> None:
    """Asked to end, the service ends in time, with code 0 and without leaving a process behind."""
    with serve(service.root, service.variant.service_name) as server:
        workers = server.workers()
        code = server.stop()

    assert code == 0
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_what_it_lacks_is_one_line_and_no_service(service: Service, tmp_path: Path) -> None:
    """Without a model or its keys the service does not start, and says where it looked for what."""
    lacking = {"MODEL_DIR": f"{service.models[0].declared['name']}.manifest.json"}
    if service.variant.answers.get("auth") == "api_key":
        lacking["API_KEYS_FILE"] = "keys"

    for variable, name in lacking.items():
        place = tmp_path if variable == "MODEL_DIR" else tmp_path / name
        assert str(tmp_path / name) in _refusal_to_start(service, **{variable: str(place)})


def _refusal_to_start(service: Service, **variables: str) -> str:
    """Return the one line that says why the service, started with *variables*, ended with 1."""
    command = service.root / ".venv/bin" / service.variant.service_name
    variables = settings(service.root, **variables)
    done = run([command, "serve"], cwd=service.root, variables=variables)

    output = (done.stdout + done.stderr).splitlines()
    reasons = [line for line in output if '"level":"info"' not in line]
    assert done.returncode == 1
    assert len(reasons) == 1, reasons
    return reasons[0]
