"""A rendered service made ready: its environment, its seals, and a first answer over HTTP."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from stampede.dependencies import FOREIGN, uv
from stampede.errors import ProcessError, StampedeError
from stampede.processes import run

SECONDS = 1200.0
START_SECONDS = 120.0
KEY = "a-key-for-the-first-call"


@dataclass(frozen=True)
class Made:
    """A service that has answered."""

    folder: Path
    models: tuple[str, ...]
    open: tuple[str, ...]
    """What a person still has to look at."""
    request: str
    answer: str


def make(
    folder: Path,
    answers: Mapping[str, Any],
    golden: Mapping[str, str],
    marked: tuple[str, ...],
    step: Callable[[str], AbstractContextManager[None]],
) -> Made:
    """Set up and seal the service in *folder*, start it, and ask every model for a prediction.

    Raises:
        StampedeError: A step failed; the folder stays, to be looked at.
    """
    name, models = answers["service_name"], [model["name"] for model in answers["models"]]
    for variable in FOREIGN:
        os.environ.pop(variable, None)
    command = folder / ".venv/bin" / name
    with step("setting up"):
        _run(uv(), "lock", "--quiet", folder=folder)
        _run(uv(), "sync", "--locked", "--quiet", folder=folder)
    build = folder / "build"
    build.mkdir(exist_ok=True)
    for model in models:
        with step(f"sealing {model}"):
            rows = build / f"{model}.golden.json"
            if model in golden:
                rows.write_text(golden[model], encoding="utf-8")
            given = ("--rows", rows) if model in golden else ()
            _run(command.resolve(), "seal", model, *given, folder=folder)
    with step("serving and asking"), _served(folder, command.resolve()) as port:
        openapi = _request(port, "GET", "/openapi.json")
        listed = _request(port, "GET", "/models")["models"]
        asked = [(each["endpoint"], example(openapi, each["endpoint"])) for each in listed]
        said = [_request(port, "POST", path, body) for path, body in asked]
    shutil.rmtree(build)
    path, body = asked[0]
    request = f"{path} {json.dumps(body, ensure_ascii=False)}"
    return Made(folder, tuple(models), marked, request, json.dumps(said[0], ensure_ascii=False))


def example(openapi: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Compose a request of the examples in a service's own description."""
    content = openapi["paths"][path]["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"]
    if "$ref" in schema:
        schema = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return {feature: about["examples"][0] for feature, about in schema["properties"].items()}


def _run(*command: str | Path, folder: Path) -> None:
    try:
        run(*command, cwd=folder, seconds=SECONDS)
    except ProcessError as error:
        shown = " ".join([Path(command[0]).name, *map(str, command[1:])])
        raise StampedeError(f"{shown}, in {folder}: {error}") from error


@contextmanager
def _served(folder: Path, command: Path) -> Iterator[int]:
    """Serve on a free port until the block ends; nothing of it outlives the block."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    keys, log = (folder / "build/keys").resolve(), folder / "build/serve.log"
    keys.write_text(f"first:{KEY}\n")
    own = {"PORT": str(port), "GUNICORN_WORKERS": "1", "API_KEYS_FILE": str(keys)}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the service that was just made.
            [command, "serve"],
            cwd=folder,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        _wait(process, port, log)
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError, HTTPException, StampedeError):
            _request(port, "GET", "/readyz")
            return
        time.sleep(0.1)
    last = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise StampedeError(f"the service does not start: {'; '.join(last)}")


def _request(port: int, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON.
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    payload = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "X-API-Key": KEY}
    try:
        connection.request(method, path, payload, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise StampedeError(f"{method} {path} answers {answer.status}: {text}")
    return json.loads(text) if "json" in answer.headers.get_content_type() else text
