"""What a team writes first: FastAPI, a plain `def`, and the estimator's own predict."""

from pathlib import Path

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel
from xgboost import XGBRegressor

MODELS = Path("models")


class Features(BaseModel):
    f0: float
    f1: float
    f2: float
    f3: float
    f4: float
    f5: float
    f6: float
    f7: float


price = XGBRegressor(n_jobs=1)
price.load_model(MODELS / "price.ubj")
forest = joblib.load(MODELS / "forest.joblib")
app = FastAPI()


def row(features: Features) -> np.ndarray:
    return np.array([list(features.model_dump().values())])


@app.post("/predict/price")
def post_predict_price(features: Features) -> dict[str, float]:
    return {"prediction": float(price.predict(row(features))[0])}


@app.post("/predict/forest")
def post_predict_forest(features: Features) -> dict[str, float]:
    return {"prediction": float(forest.predict_proba(row(features))[0, 1])}
