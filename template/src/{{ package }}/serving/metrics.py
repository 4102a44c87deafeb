"""Prometheus metrics, added up over all workers."""

from __future__ import annotations

import os
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROW_BUCKETS = (1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10000)


class ModelMetrics:
    """What is counted for one model."""

    def __init__(self, metrics: Metrics, model: str) -> None:
        self._predictions = metrics.predictions.labels(model)
        self._batch_rows = metrics.batch_rows.labels(model)
        self._predict_seconds = metrics.predict_seconds.labels(model)
        self._queued = metrics.queued.labels(model)
        self._waiting = 0
        self._refused = {
            reason: metrics.refused.labels(model, reason)
            for reason in ("queue_full", "deadline", "nan", "error")
        }

    def predicted(self, rows: int, seconds: float) -> None:
        """Count a batch."""
        self._predictions.inc(rows)
        self._batch_rows.observe(rows)
        self._predict_seconds.observe(seconds)

    def waiting(self, requests: int) -> None:
        """Note how many requests wait."""
        if requests != self._waiting:
            self._waiting = requests
            self._queued.set(requests)

    def refused(self, reason: str) -> None:
        """Count a request that got no prediction."""
        self._refused[reason].inc()


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.requests = counter(
            "http_requests", "Requests answered.", ["route", "method", "status"]
        )
        self.duration = histogram(
            "http_request_duration_seconds",
            "Time from a request's head to the end of its answer.",
            ["route"],
            buckets=LATENCY_BUCKETS,
        )
        self.predictions = counter("model_predictions", "Rows predicted.", ["model"])
        self.batch_rows = histogram(
            "model_batch_rows", "Rows predicted together.", ["model"], buckets=ROW_BUCKETS
        )
        self.predict_seconds = histogram(
            "model_predict_seconds",
            "Time that one batch took to predict.",
            ["model"],
            buckets=LATENCY_BUCKETS,
        )
        self.queued = gauge(
            "model_queue_requests",
            "Requests waiting for the model.",
            ["model"],
            multiprocess_mode="livesum",
        )
        self.refused = counter(
            "model_refused", "Requests that got no prediction, by reason.", ["model", "reason"]
        )
        self.info = gauge(
            "model_info",
            "The digest of the model that is served.",
            ["model", "digest"],
            multiprocess_mode="livemax",
        )

    def exposition(self) -> bytes:
        """Render the metrics of all workers in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class RequestMetrics:
    """Counts requests by route; the label sets are bound once, not per request."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._bound: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (route, method, status)
        bound = self._bound.get(key)
        if bound is None:
            counter = self._metrics.requests.labels(route, method, str(status))
            bound = self._bound[key] = (counter, self._metrics.duration.labels(route))
        bound[0].inc()
        bound[1].observe(seconds)
