"""Ray Serve with one replica; BATCH in the environment turns its batching on."""

import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import ray
from ray import serve
from starlette.requests import Request
from xgboost import XGBRegressor

BATCH = int(os.environ.get("BATCH", "1"))
MODEL = Path("models/price.ubj").resolve()


@serve.deployment(num_replicas=1, max_ongoing_requests=1000)
class Price:
    def __init__(self) -> None:
        self.model = XGBRegressor(n_jobs=1)
        self.model.load_model(MODEL)

    @serve.batch(max_batch_size=max(2, BATCH), batch_wait_timeout_s=0.001)
    async def together(self, rows: list[list[float]]) -> list[float]:
        return self.model.predict(np.array(rows)).tolist()

    async def __call__(self, request: Request) -> dict[str, float]:
        row = (await request.json())["row"]
        if BATCH > 1:
            return {"prediction": await self.together(row)}
        return {"prediction": float(self.model.predict(np.array([row]))[0])}


if __name__ == "__main__":
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ray.init(
        _node_ip_address="127.0.0.1",
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=80_000_000,
        logging_level="warning",
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Price.bind(), route_prefix="/")
    ended.wait()
    serve.shutdown()
    ray.shutdown()
