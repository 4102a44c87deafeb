"""Where models are published, for real: servers on loopback, and a connection that stalls."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

from support.processes import UV, environment
from support.services import free_port

MOTO = "moto[server]==5.2.5"
MLFLOW = "mlflow==3.17.2"
BUCKET = "models"
# The first start of a machine also downloads it.
START_SECONDS = 300


@contextmanager
def s3(folder: Path) -> Iterator[int]:
    """Run an S3 server with one bucket, and yield its port."""
    port = free_port()
    with _tool(MOTO, ["moto_server", "--port", str(port)], folder, port, "/moto-api/"):
        assert ask(port, "PUT", f"/{BUCKET}") == HTTPStatus.OK
        yield port


@contextmanager
def mlflow(folder: Path) -> Iterator[int]:
    """Run an MLflow server that keeps artifacts itself, and yield its port."""
    port = free_port()
    options = ["--workers=1", f"--port={port}", "--backend-store-uri=sqlite:///mlflow.db"]
    server = ["mlflow", "server", *options, f"--artifacts-destination={folder / 'artifacts'}"]
    # Without it, a dozen processes for what is not tested here.
    with _tool(MLFLOW, server, folder, port, "/health", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"):
        yield port


def ask(port: int, method: str, path: str) -> int:
    """Send one request without credentials, and return the answer's status."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return answer.status


@contextmanager
def _tool(
    package: str, command: list[str], folder: Path, port: int, path: str, **variables: str
) -> Iterator[None]:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [UV, "tool", "run", "--from", package, *command],
            cwd=folder,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port, path):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int, path: str) -> bool:
    with suppress(OSError):
        return ask(port, "GET", path) == HTTPStatus.OK
    return False


@contextmanager
def stalling(port: int, after_bytes: int) -> Iterator[tuple[int, Event]]:
    """Yield a port that leads to *port*, until a connection has carried so much in one direction.

    From then on nothing moves there, nobody closes the connection before the block ends, and the
    event is set.
    """
    stalled = Event()
    opened: list[socket.socket] = []
    with ExitStack() as sockets, ThreadPoolExecutor(64) as threads:
        listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
        opened.append(listener)

        def accept() -> None:
            with suppress(OSError):  # The listener was shut down.
                while True:
                    near = sockets.enter_context(listener.accept()[0])
                    far = sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
                    opened.extend((near, far))
                    threads.submit(_carry, near, far, after_bytes, stalled)
                    threads.submit(_carry, far, near, after_bytes, stalled)

        threads.submit(accept)
        try:
            yield listener.getsockname()[1], stalled
        finally:
            # This wakes whoever waits in one of them.
            for each in opened:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def _carry(source: socket.socket, target: socket.socket, left: int, stalled: Event) -> None:
    with suppress(OSError):
        while left > 0 and (data := source.recv(min(left, 4096))):
            target.sendall(data)
            left -= len(data)
        if left > 0:
            target.shutdown(socket.SHUT_WR)
        else:
            stalled.set()
