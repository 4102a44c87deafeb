"""What each part of a request takes by itself, in one process: microseconds of CPU, as JSON."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

FOLDER = tempfile.mkdtemp(dir="/dev/shm")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = FOLDER

from bench_service.contracts import price  # noqa: E402
from bench_service.predictors import price as predictor  # noqa: E402
from bench_service.serving.edge import Edge, Lifecycle  # noqa: E402
from bench_service.serving.lane import to_json  # noqa: E402
from bench_service.serving.logs import AccessLog  # noqa: E402
from bench_service.serving.metrics import Metrics, RequestMetrics  # noqa: E402
from bench_service.serving.model import ServedModel  # noqa: E402

TIMES, TRIES = 5_000, 7
CONTRACT = price.CONTRACT
PATH = CONTRACT.endpoint
HEADERS = [
    (b"host", b"127.0.0.1:8765"),
    (b"content-type", b"application/json"),
    (b"content-length", b"180"),
]
ANSWER = b'{"prediction":12.345}'


def main() -> None:
    bodies = Path(sys.argv[1]).read_bytes().splitlines()
    model = ServedModel(CONTRACT, predictor.predict, Path("models"), pinned=None)
    rows = [CONTRACT.parse(body) for body in bodies]
    outputs = model.predict_now(rows[0])
    found = {
        "parse": timed(lambda i: CONTRACT.parse(bodies[i % len(bodies)])),
        "predict": timed(lambda i: model.predict_now(rows[i % len(rows)])),
        "write": timed(lambda _: to_json(CONTRACT.answer.one(outputs))),
    }
    found |= asyncio.run(edges(bodies))
    shutil.rmtree(FOLDER)
    print(json.dumps(found))


def timed(function: Callable[[int], object]) -> float:
    """Return the least of some averages: what else runs on the machine only adds."""
    best = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        for number in range(TIMES):
            function(number)
        best = min(best, time.process_time() - began)
    return best / TIMES * 1e6


async def edges(bodies: list[bytes]) -> dict[str, float]:
    """Measure the layer around everything, beside an application that only reads and answers."""
    lifecycle = Lifecycle(2, 10, 10)
    lifecycle.digests[PATH] = ("price", "sha256:" + "0" * 64)
    lifecycle.lanes[PATH] = answer
    log = AccessLog("info")
    options = {"lifecycle": lifecycle, "max_body_bytes": 1 << 22}
    quiet = Edge(bare, metrics=Nothing(), access_log=Nothing(), **options)
    counted = Edge(bare, metrics=RequestMetrics(Metrics()), access_log=Nothing(), **options)
    logged = Edge(bare, metrics=RequestMetrics(Metrics()), access_log=log, **options)
    base, edge, metrics, whole = [
        await timed_app(app, bodies) for app in (bare, quiet, counted, logged)
    ]
    return {
        "request id and limits": edge - base,
        "metrics": metrics - edge,
        "access log, on the loop": whole - metrics,
        "access log, on its thread": timed_drain(log),
    }


async def timed_app(app: Any, bodies: list[bytes]) -> float:
    best = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        for number in range(TIMES):
            message = {"type": "http.request", "body": bodies[number % len(bodies)]}
            await app(scope(), receiver(message), send)
        best = min(best, time.process_time() - began)
    return best / TIMES * 1e6


def timed_drain(log: AccessLog) -> float:
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    lines = len(log._entries)
    began = time.process_time()
    log._drain()
    spent = time.process_time() - began
    os.dup2(kept, 1)
    return spent / max(1, lines) * 1e6


class Nothing:
    """Counts and logs nothing."""

    def observe(self, *_: object) -> None: ...

    def write(self, *_: object) -> None: ...


def scope() -> dict[str, Any]:
    client = ("127.0.0.1", 5)
    return {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "query_string": b"",
        "headers": HEADERS,
        "client": client,
        "state": {},
    }


def receiver(message: dict[str, Any]) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def receive() -> dict[str, Any]:
        return message

    return receive


async def send(message: dict[str, Any]) -> None:
    """Take an answer; anything but success would be the cost of something else."""
    if message.get("status", 200) != 200:
        raise SystemExit(f"answers {message['status']}")


async def answer(_: bytes) -> bytes:
    return ANSWER


async def bare(_: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS[:2]})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    main()
