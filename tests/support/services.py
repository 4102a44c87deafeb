"""A rendered service, built and run the way its README says."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from support.processes import environment

# Sent with every request, for the services that want a key.
API_KEY = "correct-horse"
HEADERS = {"Content-Type": "application/json", "X-API-Key": API_KEY}
START_SECONDS = 60
STOP_SECONDS = 30


@dataclass
class Server:
    """A running Gunicorn."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return the status and the parsed body of one answer."""
        return request(self.port, method, path, body)

    def workers(self) -> set[int]:
        """Return the process ids of the workers (Linux: it reads /proc)."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return {int(child) for child in children.split()}

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """Ask the server to end, and return its exit code."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text()}"
            with suppress(OSError):
                if self.request("GET", "/readyz")[0] == HTTPStatus.OK:
                    return
            time.sleep(0.1)
        message = f"not ready in {START_SECONDS} s:\n{self.log.read_text()}"
        raise AssertionError(message)


def request(port: int, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Return the status and the parsed body of one answer from a loopback port."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    payload = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    try:
        connection.request(method, path, payload, HEADERS)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    is_json = "json" in answer.headers.get_content_type()
    return answer.status, json.loads(content) if is_json else content


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def settings(service: Path, **others: str) -> dict[str, str]:
    """Return the environment that the service runs with: two workers, a key, what *others* say."""
    keys = service / "api-keys"
    keys.write_text(f"caller:{API_KEY}\n")
    return {"GUNICORN_WORKERS": "2", "API_KEYS_FILE": str(keys)} | others


@contextmanager
def serve(service: Path, command: str, **variables: str) -> Iterator[Server]:
    """Run the service until the block ends; whatever happens, nothing of it outlives the block."""
    port, log = free_port(), service / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [service / ".venv/bin" / command, "serve"],
            cwd=service,
            env=environment(**settings(service, PORT=str(port), **variables)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Its workers are ended with it, as one group.
        )
    try:
        server = Server(process, port, log)
        server.wait_until_ready()
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
