"""Fit the benchmark's models; run in the rendered service's environment, in its folder."""

from pathlib import Path

import joblib
import numpy as np
import skops.io
from bench_service.contracts import forest, price, wide
from bench_service.serving.artifacts import seal_artifact
from bench_service.serving.contract import Contract
from bench_service.serving.sampling import draw_rows
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBRegressor

MODELS = Path("models")
ROWS = 5000


def main() -> None:
    for contract in (price.CONTRACT, wide.CONTRACT):
        rows, target = data(contract)
        # The sizes of the figures that the project started from: 200 trees of depth 6, 100 trees.
        booster = XGBRegressor(n_estimators=200, max_depth=6, n_jobs=1).fit(rows, target)
        booster.save_model(stored(contract))
        seal_artifact(contract, MODELS, rows[:20], booster.predict(rows[:20]).reshape(-1, 1))
    rows, target = data(price.CONTRACT)
    wider = rows.astype(np.float64)
    classifier = make_pipeline(StandardScaler(), RandomForestClassifier(100, random_state=0))
    classifier.fit(wider, (target > 0).astype(int))
    skops.io.dump(classifier, stored(forest.CONTRACT))
    # The other contestants read it the way that their authors do.
    joblib.dump(classifier, MODELS / "forest.joblib")
    golden = draw_rows(forest.CONTRACT, 20, seed=1).astype(forest.CONTRACT.dtype)
    seal_artifact(forest.CONTRACT, MODELS, golden, classifier.predict_proba(golden))


def data(contract: Contract) -> tuple[np.ndarray, np.ndarray]:
    rows = draw_rows(contract, ROWS, seed=1).astype(np.float32)
    return rows, rows[:, 0] * 2 + np.sin(rows[:, 1]) + rows[:, 2] * rows[:, 3] / 10


def stored(contract: Contract) -> Path:
    """Return where training stores a model, which a seal may compile to another file."""
    return MODELS / (getattr(contract, "native", None) or contract.artifact)


if __name__ == "__main__":
    main()
