"""A model as it is served: verified, behind its queue, with its contract."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import NotFiniteError, PredictionError
from ..types import Instances, Outputs, Predictor
from .artifacts import open_artifact
from .contract import Contract
from .metrics import Metrics, ModelMetrics
from .queue import ModelQueue

logger = logging.getLogger(__name__)


class ServedModel:
    """One verified model; `predict` waits on its queue."""

    def __init__(
        self,
        contract: Contract,
        predictor: Predictor,
        folder: Path,
        *,
        pinned: str | None,
    ) -> None:
        """Open the model's artifact in *folder*.

        Raises:
            ArtifactError: the artifact is not what was sealed, or not what is pinned.
        """
        self.contract = contract
        self._predictor = predictor
        artifact = open_artifact(contract, folder, pinned=pinned)
        self.manifest = artifact.manifest
        self.digest = artifact.manifest.digest
        self._model = artifact.model
        self._names = tuple(feature.name for feature in contract.features)
        self._queue: ModelQueue | None = None
        logger.info(
            "model verified",
            extra={"model": contract.name, "digest": self.digest, "path": str(folder)},
        )

    def start(
        self,
        metrics: Metrics,
        *,
        queue_size: int,
        timeout_seconds: float,
        on_stuck: Callable[[], None],
    ) -> None:
        """Start the model's queue on the running loop."""
        metrics.info.labels(self.contract.name, self.digest).set(1)
        self._queue = ModelQueue(
            self.predict_now,
            name=self.contract.name,
            size=queue_size,
            timeout_seconds=timeout_seconds,
            metrics=ModelMetrics(metrics, self.contract.name),
            on_stuck=on_stuck,
        )
        self._queue.start()

    def stop(self) -> None:
        """End the model's queue."""
        if self._queue is not None:
            self._queue.stop()

    async def predict(self, rows: bytes) -> Outputs:
        """Wait for the outputs of packed *rows*; see `ModelQueue.predict`."""
        if self._queue is None:
            raise RuntimeError(f"the queue of {self.contract.name} was not started")
        return await self._queue.predict(rows)

    def predict_now(self, rows: bytes) -> Outputs:
        """Predict packed *rows* on the calling thread: shape (rows, outputs).

        Raises:
            PredictionError: the predictor's answer has another shape, or is not finite.
        """
        instances = Instances(self.contract.matrix(rows), self._names)
        outputs = np.ascontiguousarray(self._predictor(instances, self._model))
        expected = (len(instances.matrix), max(1, len(self.contract.answer.outputs)))
        if outputs.shape != expected:
            raise PredictionError("The model failed on this request") from ValueError(
                f"the predictor answered shape {outputs.shape}, not {expected}"
            )
        if not np.isfinite(outputs).all():
            raise NotFiniteError("The model's answer is not a finite number")
        return outputs
