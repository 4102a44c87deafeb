"""Fit the benchmark's models; run in the rendered service's environment, in its folder."""

from pathlib import Path

import joblib
import numpy as np
import skops.io
from bench_service.contracts import forest, price
from bench_service.serving.artifacts import seal_artifact
from bench_service.serving.sampling import draw_rows
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBRegressor

MODELS = Path("models")
ROWS = 5000


def main() -> None:
    MODELS.mkdir(exist_ok=True)
    rows = draw_rows(price.CONTRACT, ROWS, seed=1)
    target = rows[:, 0] * 2 + np.sin(rows[:, 1]) + rows[:, 2] * rows[:, 3] / 10
    # The sizes of the figures that the project started from: 200 trees of depth 6, 100 trees.
    booster = XGBRegressor(n_estimators=200, max_depth=6, n_jobs=1).fit(rows, target)
    booster.save_model(MODELS / price.CONTRACT.artifact)
    seal_artifact(price.CONTRACT, MODELS, rows[:20], booster.predict(rows[:20]).reshape(-1, 1))
    forest_rows = rows.astype(np.float64)
    classifier = make_pipeline(StandardScaler(), RandomForestClassifier(100, random_state=0))
    classifier.fit(forest_rows, (target > 0).astype(int))
    skops.io.dump(classifier, MODELS / forest.CONTRACT.artifact)
    # The other contestants read it the way that their authors do.
    joblib.dump(classifier, MODELS / "forest.joblib")
    golden = forest_rows[:20]
    seal_artifact(forest.CONTRACT, MODELS, golden, classifier.predict_proba(golden))


if __name__ == "__main__":
    main()
