"""The way of an image: built, pushed and pulled by its digest, by the pipeline's own script."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import pytest
from conftest import Render
from support.containers import build_options, container, podman
from support.processes import run, succeed
from support.services import free_port, request
from support.texts import documents
from support.tools import need
from support.variants import Variant

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("containers")]

REVISION = "89abcdef0123456789abcdef0123456789abcdef"
START_SECONDS = 20
# Every argument goes to the real one, with what a build needs to reach packages here, and what a
# registry without a certificate needs.
WRAPPER = """#!/bin/sh
command=$1
shift
case $command in
  build) set -- --layers {options} "$@" ;;
  login | push) set -- --tls-verify=false "$@" ;;
esac
exec {buildah} "$command" "$@"
"""


@pytest.fixture
def registry(base_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return host and port of an empty registry on loopback, which the engines trust."""
    assert base_image
    need("docker-registry", "podman", "buildah")
    port = free_port()
    environment = os.environ | {
        "REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}",
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path / "registry"),
    }
    configuration = tmp_path / "registry.yml"
    configuration.write_text("{version: 0.1, storage: {filesystem: {}}, http: {}}\n")
    with (tmp_path / "registry.log").open("wb") as log:
        command = ["docker-registry", "serve", str(configuration)]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(OSError):
                if request(port, "GET", "/v2/")[0] == HTTPStatus.OK:
                    break
            assert time.monotonic() < deadline, (tmp_path / "registry.log").read_text()
            time.sleep(0.1)
        host = f"localhost:{port}"
        trusted = tmp_path / "registries.conf"
        trusted.write_text(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n')
        monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(trusted))
        yield host
    finally:
        process.kill()
        process.wait()


def test_the_pipeline_s_script_pushes_what_is_pulled_by_digest(
    registry: str, render: Render, models: str, tmp_path: Path
) -> None:
    """The job build-image logs in, builds, pushes and hands the digest on; that digest serves."""
    root = render(Variant("registry", {"registry": f"{registry}/ml"})).root
    succeed(["make", "uv.lock"], cwd=root, seconds=120)
    (pipeline,) = documents((root / ".gitlab-ci.yml").read_text())
    image = f"{registry}/ml/tabular-inference"
    assert pipeline["variables"]["IMAGE"] == image

    script = "\n".join(["set -eu", *pipeline["build-image"]["script"]])
    run_job(script, root, tmp_path, IMAGE=image)
    digest = (root / "build/digest").read_text().strip()
    podman("rmi", "--force", f"{image}:{REVISION}")
    pulled = f"{image}@{digest}"
    podman("pull", "--quiet", pulled)

    with container(pulled, models) as started:
        started.wait_until_ready()
    podman("rmi", "--force", pulled)


def run_job(script: str, root: Path, folder: Path, **variables: str) -> None:
    buildah = succeed(["sh", "-c", "command -v buildah"], cwd=folder).strip()
    wrapper = folder / "bin/buildah"
    wrapper.parent.mkdir()
    wrapper.write_text(WRAPPER.format(options=" ".join(build_options()), buildah=buildah))
    wrapper.chmod(0o755)
    variables |= {
        "BUILDAH_FORMAT": "docker",
        "CI_COMMIT_SHA": REVISION,
        "CI_COMMIT_SHORT_SHA": REVISION[:8],
        "CI_PROJECT_URL": "https://git.example.com/ml/tabular-inference",
        "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        "REGISTRY_USER": "pusher",
        "REGISTRY_PASSWORD": "secret",
    }
    with_wrapper = f"PATH={wrapper.parent}:$PATH\n{script}"
    done = run(["bash", "-c", with_wrapper], cwd=root, seconds=600, variables=variables)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
