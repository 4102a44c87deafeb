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
from time import monotonic, perf_counter

from ..errors import DeadlineError, OverloadedError, PredictionError
from ..types import Outputs
from .metrics import ModelMetrics
from .pace import Pace

logger = logging.getLogger(__name__)


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
    size: int
    results: list[Outputs | PredictionError] = field(default_factory=list)
    seconds: float = 0.0


class ModelQueue:
    """Runs one model, on a thread of its own unless a prediction is shorter than the way there.

    What arrives in one turn of the event loop, or while a prediction runs, is one batch. An
    idle model predicts at once; nothing is ever delayed to fill a batch.
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
        inline_bytes: int = 0,
        is_alone: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare the queue; `start` binds it to the running loop.

        Args:
            predict: Turns packed rows into outputs; called for one batch at a time.
            name: The model's, for the log.
            size: How many requests may wait.
            timeout_seconds: How long after its arrival a request is answered 504.
            metrics: Where batches and refusals are counted.
            on_stuck: Called when a prediction has run for twice the timeout.
            inline_bytes: Up to so many bytes of rows are predicted on the event loop.
            is_alone: Whether the request is all that this worker has to answer.
        """
        self._predict, self._name = predict, name
        self._size, self._timeout = size, timeout_seconds
        self._metrics = metrics
        self._on_stuck = on_stuck
        self._inline_bytes = inline_bytes
        self._is_alone = is_alone
        self._waiting: deque[_Request] = deque()
        self._waiting_bytes = 0
        self._unanswered: deque[_Request] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._running_since: float | None = None
        self._is_stuck = self._is_scheduled = False
        self._pace = Pace(timeout_seconds)
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        # Held to add to what waits or to take from it; whoever finds nothing there is idle.
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the model's thread. Threads do not survive a fork, so only ever in a worker."""
        self._loop = asyncio.get_running_loop()
        # A daemon, so that a prediction that never returns cannot keep the process alive.
        threading.Thread(target=self._run, name=f"predict-{self._name}", daemon=True).start()

    def stop(self) -> None:
        """Let the model's thread end after what it is at."""
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
        is_short = len(rows) <= self._inline_bytes
        if is_short and self._running_since is None and not self._waiting and self._is_alone():
            # A turn of the loop would bring nobody to predict with.
            return self._predict_at_once(rows)
        if len(self._waiting) >= self._size or self._expected_wait() > self._timeout / 2:
            self._metrics.refused("queue_full")
            raise OverloadedError("The model has more requests waiting than it can answer in time")
        request = _Request(rows, monotonic() + self._timeout, self._loop.create_future())
        with self._lock:
            self._waiting.append(request)
            self._waiting_bytes += len(rows)
            is_idle = self._running_since is None
        self._unanswered.append(request)
        if self._timer is None:
            self._timer = self._loop.call_at(request.deadline, self._expire)
        if is_idle and not self._is_scheduled:
            # After this turn of the loop, so that what else arrives in it is the same batch.
            self._is_scheduled = True
            self._loop.call_soon(self._dispatch)
        return await request.future

    def _predict_at_once(self, rows: bytes) -> Outputs:
        started = perf_counter()
        (result,) = self._predict_together([rows])
        seconds = perf_counter() - started
        self._pace.learn(len(rows), seconds)
        if isinstance(result, PredictionError):
            self._metrics.refused(result.reason)
            raise result
        self._metrics.predicted(len(result), seconds)
        return result

    def _expected_wait(self) -> float:
        """Seconds until a new request would be predicted, were all batches like the last ones."""
        batches = math.ceil(self._waiting_bytes / self._pace.batch_bytes)
        return batches * self._pace.batch_seconds

    def _dispatch(self) -> None:
        """Predict what waits: here if that is short, else on the model's thread."""
        self._is_scheduled = False
        if self._running_since is not None or (batch := self._take()) is None:
            return
        if batch.size > self._inline_bytes:
            self._batches.put(batch)
            return
        self._process(batch)
        self._running_since = None
        self._finish(batch)
        if self._waiting:
            self._is_scheduled = True
            self._loop.call_soon(self._dispatch)

    def _take(self) -> _Batch | None:
        """Take what waits, up to a batch; afterwards the model is busy with it, or idle."""
        requests: list[_Request] = []
        size = 0
        now = monotonic()
        # Bounded, so that one slow batch cannot make everything seem too late for ever.
        finished = now + min(self._pace.batch_seconds, self._timeout / 2)
        with self._lock:
            while self._waiting:
                request = self._waiting[0]
                if requests and size + len(request.rows) > self._pace.batch_bytes:
                    break
                self._waiting.popleft()
                self._waiting_bytes -= len(request.rows)
                # Whoever is gone, or will have been answered 504 by then, needs no prediction.
                if not request.future.done() and request.deadline > finished:
                    requests.append(request)
                    size += len(request.rows)
            self._running_since = now if requests else None
        return _Batch(requests, size) if requests else None

    def _run(self) -> None:
        """Predict batch after batch, on the model's thread, until nothing waits."""
        while (batch := self._batches.get()) is not None:
            following: _Batch | None = batch
            while following is not None:
                batch = following
                self._process(batch)
                following = self._take()
                try:
                    self._loop.call_soon_threadsafe(self._finish, batch)
                except RuntimeError:  # the loop is closed: the worker ended without this batch
                    return

    def _process(self, batch: _Batch) -> None:
        started = perf_counter()
        batch.results = self._predict_together([request.rows for request in batch.requests])
        batch.seconds = perf_counter() - started
        self._pace.learn(batch.size, batch.seconds)

    def _predict_together(self, parts: list[bytes]) -> list[Outputs | PredictionError]:
        rows = b"".join(parts)
        try:
            outputs = self._predict(rows)
        except Exception as error:  # a predictor is the team's code: it may raise anything
            if len(parts) > 1:
                # Whose rows it was is not known: nobody else shall fail with them.
                return [self._predict_together([part])[0] for part in parts]
            if isinstance(error, PredictionError):
                return [error]
            failure = PredictionError("The model failed on this request")
            failure.__cause__ = error
            return [failure]
        row_bytes = len(rows) // len(outputs)
        results: list[Outputs | PredictionError] = []
        end = 0
        for part in parts:
            start, end = end, end + len(part) // row_bytes
            results.append(outputs[start:end])
        return results

    def _finish(self, batch: _Batch) -> None:
        """Answer a batch's requests, back on the loop."""
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
        self._metrics.waiting(len(self._waiting))
        while self._unanswered and self._unanswered[0].future.done():
            self._unanswered.popleft()

    def _expire(self) -> None:
        """Answer 504 to whoever waited too long; one timer a model, since all wait equally."""
        now = monotonic()
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
