"""BentoML's service, single rows and with its adaptive batching."""

from pathlib import Path

import bentoml
import numpy as np
from xgboost import XGBRegressor


@bentoml.service(workers=1)
class Price:
    def __init__(self) -> None:
        self.model = XGBRegressor(n_jobs=1)
        self.model.load_model(Path("models/price.ubj"))

    @bentoml.api
    def predict(self, row: list[float]) -> float:
        return float(self.model.predict(np.array([row]))[0])

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=10_000)
    def predict_together(self, rows: list[list[float]]) -> list[float]:
        return self.model.predict(np.array(rows)).tolist()
