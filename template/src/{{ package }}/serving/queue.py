"""One model's bounded queue: what waits while a prediction runs becomes the next batch."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from time import perf_counter

import numpy as np

from ..errors import DeadlineError, OverloadedError, PredictionError
from ..types import Outputs
from .metrics import ModelMetrics

logger = logging.getLogger(__name__)

# Larger batches gain nothing per row, and delay what comes behind them.
MAX_BATCH_BYTES = 1 << 18


@dataclass(slots=True, eq=False)
class _Request:
    """Packed rows that wait for their outputs."""

    rows: bytes
    deadline: float
    future: asyncio.Future[Outputs]


@dataclass(slots=True, eq=False)
class _Batch:
    """Requests that are predicted together, and what came of each."""

    requests: list[_Request]
    results: list[Outputs | PredictionError] = field(default_factory=list)
    seconds: float = 0.0


class ModelQueue:
    """Runs one model on one thread of its own, so that the event loop never waits for it.

    An idle model predicts at once; nothing is ever delayed to fill a batch.
    """

    def __init__(
        self,
        predict: Callable[[bytes], Outputs],
        *,
        name: str,
        size: int,
        timeout_seconds: float,
        metrics: ModelMetrics,
        on_stuck: Callable[[], None],
    ) -> None:
        """Prepare the queue; `start` binds it to the running loop.

        Args:
            predict: Turns packed rows into outputs; called on the model's thread only.
            name: The model's, for the log.
            size: How many requests may wait.
            timeout_seconds: How long after its arrival a request is answered 504.
            metrics: Where batches and refusals are counted.
            on_stuck: Called when a prediction has run for twice the timeout.
        """
        self._predict = predict
        self._name = name
        self._size = size
        self._timeout = timeout_seconds
        self._metrics = metrics
        self._on_stuck = on_stuck
        self._waiting: deque[_Request] = deque()
        self._waiting_bytes = 0
        self._unanswered: deque[_Request] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._running_since: float | None = None
        self._is_stuck = False
        self._batch_seconds = 0.0
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()

    def start(self) -> None:
        """Start the model's thread. Threads do not survive a fork, so only ever in a worker."""
        self._loop = asyncio.get_running_loop()
        # A daemon, so that a prediction that never returns cannot keep the process alive.
        threading.Thread(target=self._run, name=f"predict-{self._name}", daemon=True).start()

    def stop(self) -> None:
        """Let the model's thread end after the batch that it is at."""
        self._batches.put(None)
        if self._timer is not None:
            self._timer.cancel()

    async def predict(self, rows: bytes) -> Outputs:
        """Wait for the outputs of *rows*.

        Raises:
            OverloadedError: the queue is full, or the wait would exceed half the timeout.
            DeadlineError: the outputs were not there in time.
            PredictionError: the model failed, or answered NaN.
        """
        if len(self._waiting) >= self._size or self._expected_wait() > self._timeout / 2:
            self._metrics.refused("queue_full")
            raise OverloadedError("The model has more requests waiting than it can answer in time")
        now = self._loop.time()
        request = _Request(rows, now + self._timeout, self._loop.create_future())
        self._waiting.append(request)
        self._waiting_bytes += len(rows)
        self._unanswered.append(request)
        if self._timer is None:
            self._timer = self._loop.call_at(request.deadline, self._expire)
        if self._running_since is None:
            self._dispatch()
        return await request.future

    def _expected_wait(self) -> float:
        """Seconds until a new request would be predicted, were all batches like the last ones."""
        return math.ceil(self._waiting_bytes / MAX_BATCH_BYTES) * self._batch_seconds

    def _dispatch(self) -> None:
        """Hand everything that waits, up to a batch, to the model's thread."""
        requests: list[_Request] = []
        size = 0
        while self._waiting:
            request = self._waiting[0]
            if requests and size + len(request.rows) > MAX_BATCH_BYTES:
                break
            self._waiting.popleft()
            self._waiting_bytes -= len(request.rows)
            # Whoever is gone or was answered 504 needs no prediction.
            if not request.future.done():
                requests.append(request)
                size += len(request.rows)
        self._metrics.waiting(len(self._waiting))
        if requests:
            self._running_since = self._loop.time()
            self._batches.put(_Batch(requests))

    def _run(self) -> None:
        """Predict batch after batch, on the model's thread."""
        while (batch := self._batches.get()) is not None:
            started = perf_counter()
            batch.results = self._predict_together(batch.requests)
            batch.seconds = perf_counter() - started
            try:
                self._loop.call_soon_threadsafe(self._finish, batch)
            except RuntimeError:  # the loop is closed: the worker ended without this batch
                return

    def _predict_together(self, requests: list[_Request]) -> list[Outputs | PredictionError]:
        rows = b"".join([request.rows for request in requests])
        try:
            outputs = self._predict(rows)
        except Exception as error:  # a predictor is the team's code: it may raise anything
            if len(requests) > 1:
                # Whose rows it was is not known: nobody else shall fail with them.
                return [self._predict_together([request])[0] for request in requests]
            if isinstance(error, PredictionError):
                return [error]
            failure = PredictionError("The model failed on this request")
            failure.__cause__ = error
            return [failure]
        row_bytes = len(rows) // len(outputs)
        ends = np.cumsum([len(request.rows) // row_bytes for request in requests])
        return [*np.split(outputs, ends[:-1])]

    def _finish(self, batch: _Batch) -> None:
        """Answer a batch's requests, back on the loop, and start the next batch."""
        self._running_since = None
        # A moving average over about the last five batches.
        self._batch_seconds += 0.2 * (batch.seconds - self._batch_seconds)
        answered = 0
        for request, result in zip(batch.requests, batch.results):
            if isinstance(result, PredictionError):
                self._metrics.refused(result.reason)
                if not request.future.done():
                    request.future.set_exception(result)
            else:
                answered += len(result)
                if not request.future.done():
                    request.future.set_result(result)
        self._metrics.predicted(answered, batch.seconds)
        while self._unanswered and self._unanswered[0].future.done():
            self._unanswered.popleft()
        self._dispatch()

    def _expire(self) -> None:
        """Answer 504 to whoever waited too long; one timer a model, since all wait equally."""
        now = self._loop.time()
        while self._unanswered and self._unanswered[0].deadline <= now:
            future = self._unanswered.popleft().future
            if not future.done():
                self._metrics.refused("deadline")
                future.set_exception(DeadlineError("The prediction took too long"))
        stuck = self._running_since is not None and now - self._running_since > 2 * self._timeout
        if stuck and not self._is_stuck:
            self._is_stuck = True
            logger.critical("the model %s does not return: replacing this worker", self._name)
            self._on_stuck()
        self._timer = None
        if self._unanswered or self._running_since is not None:
            deadline = self._unanswered[0].deadline if self._unanswered else now + self._timeout
            self._timer = self._loop.call_at(deadline, self._expire)
