"""Flask under Gunicorn with gevent workers, the stack that the article compares itself with."""

from pathlib import Path

import joblib
import numpy as np
from flask import Flask, request
from xgboost import XGBRegressor

MODELS = Path("models")
price = XGBRegressor(n_jobs=1)
price.load_model(MODELS / "price.ubj")
forest = joblib.load(MODELS / "forest.joblib")
app = Flask(__name__)


def row() -> np.ndarray:
    return np.array([list(request.get_json().values())])


@app.post("/predict/price")
def post_predict_price() -> dict[str, float]:
    return {"prediction": float(price.predict(row())[0])}


@app.post("/predict/forest")
def post_predict_forest() -> dict[str, float]:
    return {"prediction": float(forest.predict_proba(row())[0, 1])}
