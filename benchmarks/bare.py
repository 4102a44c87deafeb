"""The predict alone, in a loop over distinct rows; prints microseconds of CPU per row as JSON."""

import json
import time
from pathlib import Path

from bench_service.contracts import forest, price
from bench_service.serving.artifacts import open_artifact
from bench_service.serving.sampling import draw_rows

SECONDS = 1.0


def main() -> None:
    found = {}
    for contract in (price.CONTRACT, forest.CONTRACT):
        model = open_artifact(contract, Path("models")).model
        rows = [row.reshape(1, -1) for row in draw_rows(contract, 512, seed=2)]
        started, count = time.process_time(), 0
        while time.process_time() - started < SECONDS:
            model.predict(rows[count % len(rows)])
            count += 1
        found[contract.name] = (time.process_time() - started) / count * 1e6
    print(json.dumps(found))


if __name__ == "__main__":
    main()
