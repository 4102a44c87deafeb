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
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from support.processes import UV, environment, succeed

START_SECONDS = 60
STOP_SECONDS = 30


def build(service: Path, command: str) -> None:
    """Lock, install and train the *service* whose command is *command*."""
    succeed([UV, "lock", "--quiet"], cwd=service, seconds=120)
    succeed([UV, "sync", "--quiet", "--locked"], cwd=service, seconds=600)
    succeed([service / ".venv/bin" / command, "train"], cwd=service, seconds=300)


@dataclass
class Server:
    """A running Gunicorn."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def request(
        self, method: str, path: str, body: object = None
    ) -> tuple[int, dict[str, str], Any]:
        """Return status, headers (lower case) and the parsed body of one answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        parsed = json.loads(content) if "json" in headers.get("content-type", "") else content
        return answer.status, headers, parsed

    def workers(self) -> set[int]:
        """Return the process ids of the workers (Linux: it reads /proc)."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return {int(child) for child in children.split()}

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask the server to end, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text()}"
            try:
                if self.request("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        message = f"not ready in {START_SECONDS} s:\n{self.log.read_text()}"
        raise AssertionError(message)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def serve(service: Path, command: str, *, workers: int = 2) -> Iterator[Server]:
    """Run the service until the block ends; whatever happens, nothing of it outlives the block."""
    port, log = free_port(), service / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [service / ".venv/bin" / command, "serve"],
            cwd=service,
            env=environment(PORT=str(port), GUNICORN_WORKERS=str(workers)),
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
