"""The predict alone, in a loop over distinct rows; prints microseconds of CPU a call as JSON.

Its arguments name the models.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from bench_service.ml_models import CONTRACTS
from bench_service.serving.artifacts import open_artifact
from bench_service.serving.sampling import draw_rows

SECONDS = 0.5
BATCH_ROWS = 1000


def main() -> None:
    found = {}
    for contract in (each for each in CONTRACTS if each.name in sys.argv[1:]):
        model = open_artifact(contract, Path("models")).model
        rows = draw_rows(contract, 4 * BATCH_ROWS, seed=2).astype(contract.dtype)
        parts = np.split(rows, 4 if contract.name == "wide" else len(rows))
        started, count = time.process_time(), 0
        while time.process_time() - started < SECONDS:
            model.predict(parts[count % len(parts)])
            count += 1
        found[contract.name] = (time.process_time() - started) / count * 1e6
    print(json.dumps(found))


if __name__ == "__main__":
    main()
