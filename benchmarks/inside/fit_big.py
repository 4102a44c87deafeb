"""Fit a model of some hundred megabytes; run in the rendered service's environment."""

from pathlib import Path

import numpy as np
import skops.io
from bench_service.contracts import big
from bench_service.serving.artifacts import seal_artifact
from bench_service.serving.sampling import draw_rows
from sklearn.ensemble import ExtraTreesRegressor

ROWS, TREES = 200_000, 20


def main() -> None:
    rows = draw_rows(big.CONTRACT, ROWS, seed=1).astype(np.float64)
    target = np.random.default_rng(0).normal(size=ROWS)
    model = ExtraTreesRegressor(TREES, random_state=0).fit(rows, target)
    skops.io.dump(model, Path("models") / big.CONTRACT.artifact)
    seal_artifact(big.CONTRACT, Path("models"), rows[:20])


if __name__ == "__main__":
    main()
