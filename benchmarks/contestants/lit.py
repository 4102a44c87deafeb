"""LitServe's server; BATCH in the environment turns its batching on."""

import os
import sys
from pathlib import Path

import litserve
import numpy as np
from xgboost import XGBRegressor

BATCH = int(os.environ.get("BATCH", "1"))


class Price(litserve.LitAPI):
    def setup(self, _: str) -> None:
        self.model = XGBRegressor(n_jobs=1)
        self.model.load_model(Path("models/price.ubj"))

    def decode_request(self, request: dict) -> list[float]:
        return request["row"]

    def predict(self, x: list) -> np.ndarray:
        return self.model.predict(np.array(x if BATCH > 1 else [x]))

    def encode_response(self, output: np.ndarray) -> dict[str, float]:
        return {"prediction": float(np.ravel(output)[0])}


if __name__ == "__main__":
    options = {"max_batch_size": BATCH, "batch_timeout": 0.001} if BATCH > 1 else {}
    server = litserve.LitServer(Price(**options), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
    )
