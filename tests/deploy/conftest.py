"""What the deploy tests share: one service, built once, and its image."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Render
from support.containers import Container, build, container
from support.processes import succeed
from support.repositories import ROOT
from support.tools import TOOLS, need
from support.variants import DEFAULTS

TAG = "localhost/stampede-test"
REVISION = "0123456789abcdef0123456789abcdef01234567"
SOURCE = "https://git.example.com/ml/tabular-inference"
LABELS = (
    "--build-arg=VERSION=1.2.3",
    f"--build-arg=REVISION={REVISION}",
    f"--build-arg=SOURCE={SOURCE}",
)


@pytest.fixture(scope="session", autouse=True)
def _installed_tools() -> None:
    os.environ["PATH"] = os.pathsep.join([str(TOOLS / "bin"), os.environ["PATH"]])


@pytest.fixture(scope="session")
def service(render: Render) -> Path:
    """Return the default service, set up and trained as its README says."""
    root = render(DEFAULTS).root
    succeed(["make", "setup", "train"], cwd=root, seconds=600)
    return root


@pytest.fixture(scope="session")
def base_image() -> str:
    """Return the image that the Dockerfile starts from: pulled, or made where none can be."""
    need("podman")
    succeed([ROOT / ".ci/base-images"], cwd=ROOT, seconds=600)
    return "docker.io/library/python:3.13-slim"


@pytest.fixture(scope="session")
def image(service: Path, base_image: str) -> str:
    """Return the tag of the default service's image, from its unmodified Dockerfile."""
    assert base_image
    return build(service, f"{TAG}:service", *LABELS)


@pytest.fixture(scope="session")
def models(service: Path) -> str:
    """Return the option that mounts the trained models, read-only."""
    return f"--volume={service / 'models'}:/models:ro"


@pytest.fixture(scope="session")
def running(image: str, models: str) -> Iterator[Container]:
    """Return the service as it runs in a cluster, for tests that leave it as it was."""
    with container(image, models) as started:
        started.wait_until_ready()
        yield started
