"""The design that the project started from, as its author describes it.

FastAPI with ORJSONResponse, an async handler that hands `predict` to the default thread
pool, a BaseHTTPMiddleware that logs each request, models read through joblib or XGBoost.
"""

import logging
import time
import uuid
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

import joblib
import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from xgboost import XGBRegressor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastapi.responses import ORJSONResponse

MODELS = Path("models")
logger = logging.getLogger("access")
logging.basicConfig(level=logging.INFO)


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
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    app = FastAPI(default_response_class=ORJSONResponse)


@app.middleware("http")
async def log_access(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
    started = time.perf_counter()
    request_id = request.headers.get("x-request-id") or str(uuid.uuid4())
    response = await call(request)
    response.headers["x-request-id"] = request_id
    logger.info(
        "%s %s %s %d %.1f",
        request_id,
        request.method,
        request.url.path,
        response.status_code,
        (time.perf_counter() - started) * 1000,
    )
    return response


def row(features: Features) -> np.ndarray:
    return np.array([list(features.model_dump().values())])


def calculate_price(features: Features) -> dict[str, float]:
    return {"prediction": float(price.predict(row(features))[0])}


def calculate_forest(features: Features) -> dict[str, float]:
    return {"prediction": float(forest.predict_proba(row(features))[0, 1])}


@app.post("/predict/price")
async def post_predict_price(features: Features) -> dict[str, float]:
    return await run_in_threadpool(calculate_price, features)


@app.post("/predict/forest")
async def post_predict_forest(features: Features) -> dict[str, float]:
    return await run_in_threadpool(calculate_forest, features)
