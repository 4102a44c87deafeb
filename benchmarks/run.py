"""Measure the rendered service beside other designs, other projects, and the physical limit.

Everyone predicts with the same models and the same rows, one worker on one core, with the load
from wrk on another; they take turns, round after round, so that a slow minute of the machine
falls on all of them. Time is CPU time of the server's process tree, which a busy neighbour
disturbs less than the clock. What cannot be installed or started is named in the results and
left out. Loopback only.

Examples:
    make bench
    uv run --group bench python -m benchmarks.run --peers none --rounds 1 --seconds 1
    uv run --group bench python -m benchmarks.run --peers mlserver bentoml
"""

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.extras import measure_extras
from benchmarks.measuring import Running, load, measured_load, serving
from benchmarks.places import BODIES, HERE, WORK, FailedError, say
from benchmarks.report import write_report
from benchmarks.servers import PEERS_BY_NAME, Server, install_peers, own_servers, peer_servers
from benchmarks.services import MODELS, missing_services, prepare_services, run_inside
from benchmarks.versions import versions_of

CONNECTIONS = (1, 32, 256)


def main() -> None:
    chosen = _arguments()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: install it first (the package wrk on Debian and Ubuntu)")
    # Whoever ends the run ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    WORK.mkdir(parents=True, exist_ok=True)
    # Installing is waiting for the network, most of all.
    with ThreadPoolExecutor(1) as beside:
        installed = beside.submit(install_peers, chosen.peers)
        if chosen.keep and (BODIES / "price.fields").exists():
            left_out = missing_services()
        else:
            left_out = prepare_services()
        left_out |= installed.result()
    servers = own_servers(left_out) + peer_servers(chosen.peers, left_out)
    began = time.monotonic()
    samples, bare = measure_rounds(servers, chosen.rounds, chosen.seconds, left_out)
    extras = measure_extras(left_out, chosen.seconds)
    record: dict[str, Any] = {
        "seconds": round(time.monotonic() - began),
        "rounds": chosen.rounds,
        "versions": versions_of(servers),
        "bare_us": bare,
        "extras": extras,
        "left_out": left_out,
        "samples": samples,
    }
    write_report(record, HERE / "results" if chosen.results is None else chosen.results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=1, help="more, if others use the machine")
    parser.add_argument("--seconds", type=int, default=1, help="per load, at least one")
    parser.add_argument(
        "--peers",
        nargs="+",
        default=["all"],
        choices=["none", "all", *PEERS_BY_NAME],
        help="which other projects are measured too",
    )
    parser.add_argument("--keep", action="store_true", help="keep the services of the last run")
    parser.add_argument("--results", type=Path, help="where results go: benchmarks/results")
    chosen = parser.parse_args()
    if chosen.peers == ["all"]:
        chosen.peers = list(PEERS_BY_NAME)
    chosen.peers = [name for name in chosen.peers if name not in ("none", "all")]
    chosen.seconds = max(1, chosen.seconds)
    return chosen


def measure_rounds(
    servers: list[Server], rounds: int, seconds: int, left_out: dict[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, float]]]:
    """Let all take turns; who fails once is not asked again."""
    samples: list[dict[str, Any]] = []
    bare: list[dict[str, float]] = []
    for number in range(rounds):
        bare.append(bare_us(left_out))
        for server in servers:
            if server.name in left_out:
                continue
            say(f"round {number + 1} of {rounds}: {server.name}")
            try:
                samples += measure(server, seconds)
            except (FailedError, OSError, ValueError) as error:
                left_out[server.name] = str(error)
                say(f"  left out: {error}")
    return samples, bare


def bare_us(left_out: dict[str, str]) -> dict[str, float]:
    """Measure what a prediction takes alone, by model and runtime."""
    found: dict[str, float] = {}
    for variant, runtime in (("service", ""), ("service, ONNX", ", ONNX")):
        if variant not in left_out:
            alone = run_inside(variant, "bare.py", *MODELS)
            found |= {f"{model}{runtime}": spent for model, spent in alone.items()}
    return found


def measure(server: Server, seconds: int) -> list[dict[str, Any]]:
    """Measure one contestant once, with all models that it has."""
    with serving(server) as running:
        model, path = server.paths[0]
        load(BODIES / f"{model}.{server.form}", path, 8, 1)  # warm-up
        found = list(_loads(server, running, seconds))
        memory = running.memory_mb()
    about = {"server": server.name, "peer": server.is_peer, "memory_mb": memory}
    return [about | {"start_seconds": running.start_seconds} | sample for sample in found]


def _loads(server: Server, running: Running, seconds: int) -> Iterator[dict[str, Any]]:
    for model, path in server.paths:
        bodies = BODIES / f"{model}.{server.form}"
        # The second model is there for what a prediction costs, not for how it scales.
        for connections in CONNECTIONS if model == "price" else (32,):
            try:
                figures = measured_load(running, bodies, path, connections, seconds)
            except FailedError as error:  # too slow for this load; the others still count
                say(f"  {model}: {error}")
            else:
                yield {"model": model} | figures


if __name__ == "__main__":
    main()
