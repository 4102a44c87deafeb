"""Images and containers, by Podman: built and run with the options that a cluster would set."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from uuid import uuid4

from support.processes import run, succeed
from support.repositories import ROOT
from support.services import free_port, request

READY_SECONDS = 90
STOP_SECONDS = 30
BUILD_SECONDS = 900
# What the manifests ask of a cluster; /dev/shm is there, and writable, in every pod.
HARDENED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/dev/shm:rw,size=64m,mode=1777",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=1g",
    "--cpus=1",
)


def podman(*arguments: str | Path, seconds: float = 120) -> str:
    # Podman's monitor leaves a note where it was started when a container runs out of memory.
    return succeed(["podman", *arguments], cwd=Path(gettempdir()), seconds=seconds)


def inspect(kind: str, name: str) -> dict[str, Any]:
    """Return what Podman knows of an image or a container."""
    (found,) = json.loads(podman(kind, "inspect", name))
    assert isinstance(found, dict)
    return found


def build_options() -> list[str]:
    """Return how a build reaches the package index where the machine's own certificates decide."""
    bundle = os.environ.get("SSL_CERT_FILE")
    trusted = "/etc/ssl/certs/ca-certificates.crt"
    volumes = [f"{bundle}:{trusted}:ro", f"{ROOT}/.ci/uv.toml:/etc/uv/uv.toml:ro"]
    options = ["--network=host", "--pull=never", "--format=docker"]
    return [*options, *(f"--volume={volume}" for volume in volumes if bundle)]


def build(context: Path, tag: str, *options: str) -> str:
    """Build *context* with its own Dockerfile unless *options* say otherwise; return the tag."""
    command = ["podman", "build", *build_options(), "--tag", tag, *options, "."]
    succeed(command, cwd=context, seconds=BUILD_SECONDS)
    return tag


@dataclass(frozen=True)
class Container:
    """A container that was started; its port 8000 is reached at a loopback port."""

    name: str
    port: int

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        return request(self.port, method, path, body)

    def logs(self) -> str:
        done = run(["podman", "logs", self.name], cwd=ROOT)
        return done.stdout + done.stderr

    def python(self, code: str) -> str:
        """Return what a line of Python prints inside: there may be no shell."""
        return podman("exec", self.name, "python", "-c", code)

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = inspect("container", self.name)["State"]
        return state

    def wait(self, *, seconds: float = READY_SECONDS) -> int:
        """Return the exit code of the container that ends by itself."""
        return int(podman("wait", self.name, seconds=seconds))

    def stop(self) -> int:
        """Ask the service to end, as a cluster does, and return its exit code."""
        podman("stop", f"--time={STOP_SECONDS}", self.name)
        code: int = self.state()["ExitCode"]
        return code

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.state()["Running"], f"it ended:\n{self.logs()}"
            with suppress(OSError, HTTPException):
                if self.request("GET", "/readyz")[0] == HTTPStatus.OK:
                    return
            time.sleep(0.2)
        message = f"not ready in {READY_SECONDS} s:\n{self.logs()}"
        raise AssertionError(message)


@contextmanager
def container(
    image: str, *options: str, command: Sequence[str] = (), tmp: str = "64m"
) -> Iterator[Container]:
    """Start *image* with *tmp* for temporary files; nothing of it outlives the block."""
    name, port = f"stampede-{uuid4().hex[:12]}", free_port()
    own = (f"--name={name}", f"--publish=127.0.0.1:{port}:8000")
    limits = (*HARDENED, f"--tmpfs=/tmp:rw,size={tmp},mode=1777")
    podman("run", "--detach", *own, *limits, *options, image, *command)
    try:
        yield Container(name, port)
    finally:
        run(["podman", "rm", "--force", "--volumes", "--time=0", name], cwd=ROOT)
