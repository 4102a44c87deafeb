"""The container at its limits: what it may not do, and what happens where something is short."""

import itertools
import json
import shutil
import threading
import time
from pathlib import Path

import pytest
from support.containers import Container, container
from support.load import post, send
from support.services import HEADERS
from support.texts import documents

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("containers")]

NOBODY_IN_PARTICULAR = "--user=1000690000:0"
# The load ends within the two seconds in which a stopping service still accepts requests.
STOPS_AFTER_SECONDS = 1.0
SECONDS_OF_LOAD = 2.5
# What the kernel does to the largest process of a group that has no memory left.
KILL_A_WORKER = """
import os, pathlib, signal
os.kill(int(pathlib.Path('/proc/1/task/1/children').read_text().split()[0]), signal.SIGKILL)
"""


def body(service: Path) -> tuple[str, bytes]:
    """Return the endpoint of the first model, and its example as a request's body."""
    first = json.loads((service / "tests/e2e/models.json").read_text())[0]
    return first["endpoint"], json.dumps(first["example"]).encode()


def workers(started: Container) -> int:
    (line,) = (line for line in started.logs().splitlines() if "of one thread each" in line)
    return int(json.loads(line)["message"].split()[1])


def test_it_serves_with_nothing_but_what_the_manifests_grant(
    running: Container, service: Path
) -> None:
    """Read-only root, no capability, no new privilege, a small /tmp: predictions all the same."""
    endpoint, example = body(service)
    status = running.python("print(open('/proc/self/status').read())")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert running.request("POST", endpoint, json.loads(example))[0] == 200
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"
    assert fields["Uid"].split() == ["10001"] * 4
    with pytest.raises(AssertionError, match="Read-only file system"):
        running.python("open('/srv/file', 'w')")
    with pytest.raises(AssertionError, match="Read-only file system"):
        running.python("open('/models/file', 'w')")


def test_it_serves_as_any_user_without_a_home(image: str, models: str) -> None:
    """OpenShift picks a user id that no file knows; HOME leads nowhere."""
    with container(image, models, NOBODY_IN_PARTICULAR, "--env=HOME=/nonexistent") as started:
        started.wait_until_ready()
        uid = started.python("import os; print(os.getuid())")

    assert uid.strip() == "1000690000"


@pytest.mark.parametrize(("cpus", "expected"), [("0.5", 1), ("1", 1), ("2", 2)])
def test_the_workers_follow_the_cpu_limit(
    image: str, models: str, cpus: str, expected: int
) -> None:
    """Half a CPU, one, two: no worker more than can be busy at a time."""
    with container(image, models, f"--cpus={cpus}") as started:
        started.wait_until_ready()

        assert workers(started) == expected


def test_stopping_loses_no_request_and_exits_0(image: str, models: str, service: Path) -> None:
    """SIGTERM under load: whatever is sent while the service drains is answered."""
    endpoint, example = body(service)
    request = post(endpoint, example, HEADERS)
    with container(image, models) as started:
        started.wait_until_ready()
        until = time.monotonic() + SECONDS_OF_LOAD
        codes: list[int] = []
        stopping = threading.Timer(STOPS_AFTER_SECONDS, lambda: codes.append(started.stop()))
        stopping.start()

        requests = itertools.takewhile(
            lambda _: time.monotonic() < until, itertools.repeat(request)
        )
        outcome = send(started.port, requests)
        stopping.join()

    assert codes == [0]
    assert set(outcome.statuses) == {200}
    assert outcome.lost == []


def test_memory_that_does_not_suffice_ends_it_and_says_why(image: str, models: str) -> None:
    """The kernel ends it within its own limit: the cluster sees OOMKilled, not a silent hang."""
    with container(image, models, "--memory=48m", "--memory-swap=48m") as started:
        code = started.wait()

    assert code == 137


def test_a_worker_that_runs_out_of_memory_is_replaced(image: str, models: str) -> None:
    """One worker's death is not the pod's: Gunicorn says so and starts another."""
    with container(image, models) as started:
        started.wait_until_ready()
        started.python(KILL_A_WORKER)
        time.sleep(1)
        started.wait_until_ready()
        logs = started.logs()

    assert "was sent SIGKILL! Perhaps out of memory?" in logs


def test_a_full_folder_for_temporary_files_stops_nothing(
    image: str, models: str, service: Path
) -> None:
    """No answer needs room in /tmp."""
    endpoint, example = body(service)
    with container(image, models, tmp="4k") as started:
        started.wait_until_ready()
        with pytest.raises(AssertionError, match="No space left on device"):
            started.python("open('/tmp/file', 'wb').write(bytes(100_000))")

        assert started.request("POST", endpoint, json.loads(example))[0] == 200


def test_models_that_do_not_fit_fail_the_copy_by_name(image: str, service: Path) -> None:
    """A full emptyDir ends the pod's first container, as the manifest has it, with a reason."""
    (deployment,) = documents((service / "deploy/base/deployment.yaml").read_text())
    copy = deployment["spec"]["template"]["spec"]["initContainers"][0]
    program, *arguments = copy["command"]
    options = (
        f"--volume={service / 'models'}:/mnt/models:ro",
        "--tmpfs=/models:rw,size=8k,mode=1777",
        f"--entrypoint={program}",
    )

    with container(image, *options, command=arguments) as started:
        code = started.wait()
        logs = started.logs()

    assert code == 1
    assert "progression.ubj" in logs
    assert "No space left on device" in logs


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_model_that_is_not_whole_ends_the_start_with_its_name(
    image: str, service: Path, tmp_path: Path, damage: str
) -> None:
    """It is never ready, exits 1, and one line names the file."""
    shutil.copytree(service / "models", tmp_path, dirs_exist_ok=True)
    artifact = tmp_path / "iris.skops"
    if damage == "missing":
        artifact.unlink()
    else:
        artifact.write_bytes(artifact.read_bytes()[:-100])

    with container(image, f"--volume={tmp_path}:/models:ro") as started:
        code = started.wait()
        logs = started.logs()

    assert code == 1
    assert "iris.skops" in logs
    assert "Traceback" not in logs


def test_a_model_with_another_digest_than_the_pinned_one_does_not_start(
    image: str, models: str
) -> None:
    """The pin of the deployment counts, not what happens to lie in the volume."""
    with container(image, models, f"--env=MODEL_DIGESTS=iris=sha256:{'0' * 64}") as started:
        code = started.wait()
        logs = started.logs()

    assert code == 1
    assert "iris" in logs
    assert "pinned" in logs or "MODEL_DIGESTS" in logs
