"""Traces by OpenTelemetry. Imported only where its variables ask for them: else it costs nothing."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from starlette.types import ASGIApp, Receive, Scope, Send

from .edge import Edge, Exchange


class TracedEdge(Edge):
    """The layer around everything, with a span for each request.

    The span goes on where the caller's `traceparent` says, and is the current one for whatever
    the service does meanwhile.
    """

    def __init__(self, app: ASGIApp, *, service_name: str, **options: Any) -> None:
        """Wrap *app* as `Edge` does; spans are of the service that is named."""
        super().__init__(app, **options)
        self._service_name = service_name
        self._tracer = trace.get_tracer(__name__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the worker's life from its start to its end."""
        if scope["type"] != "http":
            # Here, and not earlier: the thread that sends spans does not survive the fork.
            provider = _provide(self._service_name)
            try:
                await super().__call__(scope, receive, send)
            finally:
                provider.shutdown()
            return
        headers = {str(name, "latin-1"): str(value, "latin-1") for name, value in scope["headers"]}
        with self._tracer.start_as_current_span(
            scope["method"], context=extract(headers), kind=SpanKind.SERVER
        ):
            await super().__call__(scope, receive, send)

    def _close(self, scope: Scope, exchange: Exchange) -> None:
        super()._close(scope, exchange)
        route = self._route_of(scope)
        span = trace.get_current_span()
        span.update_name(f"{scope['method']} {route}")
        span.set_attributes(
            {
                "http.request.method": scope["method"],
                "http.route": route,
                "http.response.status_code": exchange.status,
                "url.path": scope["path"],
                "url.scheme": scope["scheme"],
                "request_id": exchange.request_id,
            }
        )
        if served := self.lifecycle.digests.get(scope["path"]):
            span.set_attributes({"model": served[0], "digest": served[1]})
        if exchange.status >= 500:
            span.set_status(StatusCode.ERROR)


def _provide(service_name: str) -> TracerProvider:
    """Start sending spans; address, sampling and the rest are the SDK's own variables."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service_name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider
