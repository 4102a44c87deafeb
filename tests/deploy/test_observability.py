"""What a running service tells of itself, as Prometheus, a collector and a log reader see it."""

import itertools
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.load import Outcome, post, send
from support.processes import UV, environment
from support.services import HEADERS, Server, free_port, request, serve
from support.texts import documents
from support.tools import need
from support.variants import DEFAULTS

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("service")]

MODEL = "progression"
PATH = f"/predict/{MODEL}"
PREDICTIONS = f'model_predictions_total{{model="{MODEL}"}}'
REQUESTS = 1_000
RESTARTS = 200
WORKERS = 4
ROTEL = "rotel==0.0.1a15"
PATIENCE_SECONDS = 60
# The binary in the package, since its Python starts a daemon.
START_ROTEL = """
import os, sys, rotel
agent = os.path.join(os.path.dirname(rotel.__file__), "rotel-agent")
os.execv(agent, [agent, *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def server(service: Path) -> Iterator[Server]:
    """The default service with two workers."""
    with serve(service, DEFAULTS.service_name) as server:
        yield server


@pytest.fixture(scope="module")
def body(service: Path) -> bytes:
    command = service / ".venv/bin" / DEFAULTS.service_name
    done = subprocess.run(
        [command, "example", MODEL], cwd=service, env=environment(), check=True, capture_output=True
    )
    return done.stdout.strip()


@contextmanager
def running(command: list[str | Path], folder: Path) -> Iterator[Path]:
    """Run another program beside the service, and yield the file of its output."""
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def eventually(found: Callable[[], Any], expected: Any) -> None:
    """Wait until *found* returns what is expected, and show what it returned if it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (value := found()) != expected and time.monotonic() < deadline:
        time.sleep(0.2)
    assert value == expected


def metric(port: int, series: str) -> float:
    """Sum the samples that begin with *series* in the service's own exposition."""
    _, text = request(port, "GET", "/metrics")
    lines = text.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(series))


def test_prometheus_counts_what_was_sent(server: Server, body: bytes, tmp_path: Path) -> None:
    """Scraping a service of two workers, the real Prometheus knows every request, and no other."""
    need("prometheus")
    port = free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        f"  - {{job_name: service, static_configs: [{{targets: ['127.0.0.1:{server.port}']}}]}}\n"
    )
    before = metric(server.port, f'http_requests_total{{method="POST",route="{PATH}"')
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]

    with running([*command], tmp_path):
        outcome = send(server.port, itertools.repeat(post(PATH, body, HEADERS), REQUESTS))
        queries = (
            f'sum(http_requests_total{{route="{PATH}",status="200"}})',
            f'sum(http_request_duration_seconds_count{{route="{PATH}"}})',
            f"sum({PREDICTIONS})",
            f'sum(model_batch_rows_sum{{model="{MODEL}"}})',
        )
        for query in queries:
            eventually(lambda query=query: _asked(port, query), before + REQUESTS)  # type: ignore[misc]

    assert outcome == Outcome(Counter({200: REQUESTS}), [])


def _asked(port: int, query: str) -> float:
    """Return Prometheus' answer to a query of one value; 0 while it has none or still starts."""
    with suppress(OSError):
        # A starting Prometheus refuses the connection, and then answers 503 in words.
        status, answer = request(port, "GET", f"/api/v1/query?query={quote(query)}")
        if status == HTTPStatus.OK and (result := answer["data"]["result"]):
            return float(result[0]["value"][1])
    return 0


def test_the_dashboard_and_the_rules_ask_for_series_that_exist(
    server: Server, service: Path, body: bytes
) -> None:
    """Every metric in a query of the dashboard, the alerts and the autoscaler is exposed."""
    send(server.port, [post(PATH, body, HEADERS)] * 10)
    _, exposed = request(server.port, "GET", "/metrics")
    series = set(re.findall(r"^(\w+)\{", exposed.decode(), re.M))
    components = service / "deploy/components"
    dashboard = documents((components / "dashboard/dashboard.json").read_text())
    rules = documents((components / "prometheusrule/prometheusrule.yaml").read_text())
    scaling = documents((components / "keda/scaledobject.yaml").read_text())

    queries = {
        name: [*_texts(found, keys)]
        for name, found, keys in (
            ("dashboard", dashboard, {"expr"}),
            ("rules", rules, {"expr"}),
            ("keda", scaling, {"query"}),
        )
    }

    assert all(queries.values())
    asked = {
        name: set(re.findall(r"\b(\w+)\{", " ".join(texts))) for name, texts in queries.items()
    }
    # `up` is Prometheus' own.
    assert all(asked.values())
    assert set().union(*asked.values()) - series == {"up"}


def _texts(content: Any, keys: set[str]) -> Iterator[str]:
    """Yield the texts under *keys*, however deep they are."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key in keys and isinstance(value, str):
                yield value
            yield from _texts(value, keys)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value, keys)


def test_every_request_is_one_whole_line_of_the_log(server: Server, body: bytes) -> None:
    """Under load, and from two workers at once, no line is torn, lost or short of a field."""
    marked = [
        post(PATH, body, HEADERS | {"X-Request-ID": f"line-{number}"}) for number in range(REQUESTS)
    ]

    send(server.port, marked)

    eventually(lambda: len(_lines_of(server)), REQUESTS)
    lines = _lines_of(server)
    assert {line["request_id"] for line in lines} == {f"line-{n}" for n in range(REQUESTS)}
    assert {line["status"] for line in lines} == {200}
    assert {line["model"] for line in lines} == {MODEL}
    assert all(line["digest"].startswith("sha256:") for line in lines)
    assert all(line["duration_ms"] > 0 and line["time"] for line in lines)


def _lines_of(server: Server) -> list[dict[str, Any]]:
    """Parse all of the log, which must be JSON line by line, and return the marked requests."""
    whole, _, _ = server.log.read_text().rpartition("\n")
    entries = [json.loads(line) for line in whole.splitlines()]
    return [entry for entry in entries if str(entry.get("request_id", "")).startswith("line-")]


def test_spans_arrive_at_a_collector(service: Path, body: bytes, tmp_path: Path) -> None:
    """OpenTelemetry's usual variables are enough, and the caller's trace goes on."""
    port, trace = free_port(), "4bf92f3577b34da6a3ce929d0e0e4736"
    collector = [
        "start",
        f"--otlp-http-endpoint=127.0.0.1:{port}",
        f"--otlp-grpc-endpoint=127.0.0.1:{free_port()}",
        "--exporter=blackhole",
        "--debug-log=traces",
        "--debug-log-verbosity=detailed",
    ]
    rotel = [UV, "run", "--no-project", "--with", ROTEL, "python", "-c", START_ROTEL, *collector]
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_SERVICE_NAME": "prices-of-the-north",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    caller = HEADERS | {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}

    with running([*rotel], tmp_path) as log:
        eventually(lambda: "Starting Rotel" in log.read_text(), expected=True)
        with serve(service, DEFAULTS.service_name, **variables) as server:
            outcome = send(server.port, [post(PATH, body, caller)])
            eventually(lambda: trace in log.read_text(), expected=True)
        _, _, span = log.read_text().partition(trace)

    assert outcome.statuses == {200: 1}
    assert "prices-of-the-north" in log.read_text()
    for part in (
        "Parent ID      : 00f067aa0ba902b7",
        f"Name           : POST {PATH}",
        "Kind           : SPAN_KIND_SERVER",
        f"http.route: Str({PATH})",
        "http.response.status_code: Int(200)",
        f"model: Str({MODEL})",
        "digest: Str(sha256:",
    ):
        assert part in span


def test_two_hundred_restarts_leave_the_metrics_exact_and_their_folder_small(
    service: Path, body: bytes, tmp_path: Path
) -> None:
    """Workers are killed and replaced; nothing is forgotten, and nothing piles up."""
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    variables = {"PROMETHEUS_MULTIPROC_DIR": str(metrics), "GUNICORN_WORKERS": str(WORKERS)}
    killed, sent, most_files = 0, 0, 0

    with serve(service, DEFAULTS.service_name, **variables) as server:
        for turn in itertools.count():
            if turn % 10 == 0:
                server.wait_until_ready()
                sent += send(server.port, [post(PATH, body, HEADERS)] * 20).statuses[200]
                eventually(lambda: metric(server.port, PREDICTIONS), sent)
                most_files = max(most_files, len([*metrics.iterdir()]))
            if killed >= RESTARTS:
                break
            killed += _kill_all(server)
        total = metric(server.port, f'http_requests_total{{method="POST",route="{PATH}"')

    assert killed >= RESTARTS
    assert sent >= 20
    assert total == sent
    # Of each worker: counters, histograms, and gauges of two kinds.
    assert most_files <= 4 * WORKERS


def _kill_all(server: Server) -> int:
    """Kill all workers, wait until as many others are there, and return how many were killed."""
    workers = server.workers()
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    eventually(lambda: len(server.workers() - workers), WORKERS)
    return len(workers)
