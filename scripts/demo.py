"""From the template to an answered prediction: render, set up, train, serve, ask, stop.

Everything happens in build/demo, which is made anew each time. Exits 0 only when every
endpoint of every model answered with a prediction and the service ended cleanly.
"""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from stampede.making import example

ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "build/demo"
START_SECONDS = 60
STOP_SECONDS = 30
# What the `make` and the `uv run` that started this tell their children.
DROPPED = {"MAKEFLAGS", "MAKELEVEL", "VIRTUAL_ENV"}


class DemoError(Exception):
    """A step did not do what it should; the message says which, and what it did."""


def main() -> None:
    started = time.monotonic()
    if shutil.which("git") is None:
        raise DemoError("git is missing: install it first")
    if SERVICE.exists():
        shutil.rmtree(SERVICE)
    # HEAD, so that a clone shows what it holds rather than the latest release.
    copier = ["copier", "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD"]
    run([*copier, str(ROOT), str(SERVICE)], cwd=ROOT)
    run(["make", "setup", "train"], cwd=SERVICE)
    with served() as port:
        models = request(port, "GET", "/models")["models"]
        openapi = request(port, "GET", "/openapi.json")
        for model in models:
            instance = example(openapi, model["endpoint"])
            ask(port, model["endpoint"], instance)
            ask(port, f"{model['endpoint']}/batch", {"instances": [instance, instance]})
    say(f"done in {time.monotonic() - started:.0f} s; the service stays in build/demo")


def say(line: str) -> None:
    print(line, flush=True)


def environment(**extra: str) -> dict[str, str]:
    """Return the environment without what is DROPPED, but with this project's uv."""
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    uv = Path(os.environ["UV"]).parent  # `uv run` says which uv it is.
    return kept | {"PATH": f"{kept['PATH']}{os.pathsep}{uv}"} | extra


def run(command: list[str], *, cwd: Path) -> None:
    say(f"\n[{cwd.name}] $ {shlex.join(command)}")
    code = subprocess.run(command, cwd=cwd, env=environment(), check=False).returncode
    if code:
        raise DemoError(f"{shlex.join(command)}: exit code {code}")


@contextmanager
def served() -> Iterator[int]:
    """Serve on a free loopback port, which is yielded, until the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    name = tomllib.loads((SERVICE / "pyproject.toml").read_text())["project"]["name"]
    say(f"\n[{SERVICE.name}] $ PORT={port} .venv/bin/{name} serve")
    log = SERVICE / "build/serve.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [SERVICE / ".venv/bin" / name, "serve"],
            cwd=SERVICE,
            env=environment(PORT=str(port)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Its workers are ended with it, as one group.
        )
    try:
        wait_until_ready(process, port, log)
        yield port
        process.terminate()
        code = process.wait(STOP_SECONDS)
        if code:
            raise DemoError(f"{log.read_text()}\nthe service ended with exit code {code}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError, DemoError):
            request(port, "GET", "/readyz")
            return
        time.sleep(0.1)
    raise DemoError(f"{log.read_text()}\nthe service did not become ready")


def request(port: int, method: str, path: str, body: str | None = None) -> Any:  # noqa: ANN401
    """Send one request, which must be answered with 200 and JSON, and return that."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise DemoError(f"{method} {path}: {answer.status} {text}")
    return json.loads(text)


def ask(port: int, path: str, body: dict[str, Any]) -> None:
    """Send *body*, and print the same request as a curl line with the answer to it."""
    text = json.dumps(body, ensure_ascii=False)
    answer = request(port, "POST", path, text)
    if not answer.keys() & {"prediction", "predictions"}:
        raise DemoError(f"POST {path}: no prediction in {answer}")
    header = "Content-Type: application/json"
    url = f"http://127.0.0.1:{port}{path}"
    say(f"\n$ {shlex.join(['curl', '-sS', url, '-H', header, '-d', text])}")
    say(json.dumps(answer, ensure_ascii=False))


if __name__ == "__main__":
    try:
        main()
    except DemoError as error:
        sys.exit(f"demo: {error}")
