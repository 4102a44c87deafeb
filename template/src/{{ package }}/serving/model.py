"""A model as it is served: verified, behind its queue, with its contract."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from ..errors import NotFiniteError, PredictionError
from ..types import Instances, Model, Outputs, Predictor
from .artifacts import open_artifact
from .contract import Contract
from .metrics import Metrics, ModelMetrics
from .queue import ModelQueue

logger = logging.getLogger(__name__)

# A prediction that takes less is not worth the way to another thread, nor does it delay others.
INLINE_SECONDS = 0.0002
MAX_INLINE_ROWS = 1024
TRIES = 3


def _pass_through(instances: Instances, model: Model) -> Outputs:
    return model.predict(instances.matrix)


def is_pass_through(predictor: Predictor) -> bool:
    """Whether *predictor* is still as it was rendered: its time is the model's alone."""
    code = getattr(predictor, "__code__", None)
    known = _pass_through.__code__
    return code is not None and (code.co_code, code.co_names) == (known.co_code, known.co_names)


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
        self.predictor = predictor
        artifact = open_artifact(contract, folder, pinned=pinned)
        self.manifest = artifact.manifest
        self.digest = artifact.manifest.digest
        self.model = artifact.model
        self._names = tuple(feature.name for feature in contract.features)
        self._inline_rows = self._measure_inline_rows() if is_pass_through(predictor) else 0
        self._queue: ModelQueue | None = None
        logger.info(
            "model verified",
            extra={
                "model": contract.name,
                "digest": self.digest,
                "path": str(folder),
                "inline_rows": self._inline_rows,
            },
        )

    def start(
        self,
        metrics: Metrics,
        *,
        queue_size: int,
        timeout_seconds: float,
        on_stuck: Callable[[], None],
        is_alone: Callable[[], bool],
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
            inline_bytes=self._inline_rows * self.contract.row_bytes,
            is_alone=is_alone,
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

    def _measure_inline_rows(self) -> int:
        """Find how many rows are predicted in less time than the way to a thread is worth."""
        golden = self.manifest.golden.matrix().astype(self.contract.dtype)
        most, rows = 0, 1
        while rows <= MAX_INLINE_ROWS:
            packed = np.resize(golden, (rows, golden.shape[1])).tobytes()
            if not self._is_short(packed):
                break
            most, rows = rows, rows * 2
        return most

    def _is_short(self, packed: bytes) -> bool:
        for _ in range(TRIES):  # something else may have had the core
            started = perf_counter()
            self.predict_now(packed)
            if perf_counter() - started < INLINE_SECONDS:
                return True
        return False

    def predict_now(self, rows: bytes) -> Outputs:
        """Predict packed *rows* on the calling thread: shape (rows, outputs).

        Raises:
            PredictionError: the predictor's answer has another shape, or is not finite.
        """
        instances = Instances(self.contract.matrix(rows), self._names)
        outputs = np.ascontiguousarray(self.predictor(instances, self.model))
        expected = (len(instances.matrix), max(1, len(self.contract.answer.outputs)))
        if outputs.shape != expected:
            raise PredictionError("The model failed on this request") from ValueError(
                f"the predictor answered shape {outputs.shape}, not {expected}"
            )
        if not np.isfinite(outputs).all():
            raise NotFiniteError("The model's answer is not a finite number")
        return outputs
