"""Print distinct request bodies for a model, one a line; run in the service's environment."""

import json
import sys

from bench_service.ml_models import CONTRACTS
from bench_service.serving.sampling import draw_rows

ROWS = 512


def main() -> None:
    (contract,) = (contract for contract in CONTRACTS if contract.name == sys.argv[1])
    names = [feature.name for feature in contract.features]
    for row in draw_rows(contract, ROWS, seed=3).tolist():
        print(json.dumps(dict(zip(names, row, strict=True))))


if __name__ == "__main__":
    main()
