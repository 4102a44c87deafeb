"""The layer around everything: request id, access log, metrics, body limits, error answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter, time
from typing import TypeAlias

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import BodyTimeoutError, BodyTooLargeError
from .lane import Lane
from .logs import AccessLog
from .metrics import RequestMetrics
from .problems import answer_error, new_request_id

USABLE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")

# What nginx logs for a client that went away before its answer.
CLIENT_CLOSED_REQUEST = 499

Headers: TypeAlias = dict[bytes, bytes]


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


@dataclass(slots=True)
class Lifecycle:
    """What the whole worker knows of itself."""

    drain_seconds: float
    header_timeout_seconds: float
    body_timeout_seconds: float
    draining: bool = False
    digests: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Model and digest by the path of each model route; filled in once the models are loaded."""
    lanes: dict[str, Lane] = field(default_factory=dict)
    """What answers a JSON body without FastAPI's routing, by path; empty where that is off."""
    tasks: Collection[object] = ()
    """One for each request of which the head is read and the answer is not sent."""

    def is_alone(self) -> bool:
        """Tell whether the worker has no request but the one that asks."""
        return len(self.tasks) == 1


@dataclass(slots=True)
class Exchange:
    """One request and what became of it."""

    request_id: str
    received: Headers
    headers: list[tuple[bytes, bytes]]
    started: float
    served: tuple[str, str] | None
    """The model that answers and its digest."""
    status: int = CLIENT_CLOSED_REQUEST
    answered: bool = False
    unread: bool = True
    """Whether some of the request's body may still come."""


class Edge:
    """Plain ASGI, in one layer: each further layer would cost every request some microseconds."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        lifecycle: Lifecycle,
        metrics: RequestMetrics,
        access_log: AccessLog,
        max_body_bytes: int,
        checks: Collection[Callable[[Scope], None]] = (),
    ) -> None:
        """Wrap *app*.

        Args:
            app: What answers the requests.
            lifecycle: The worker's state, shared with whoever changes it.
            metrics: Where requests are counted.
            access_log: Where requests are logged.
            max_body_bytes: The longest body that is read.
            checks: Called before a body is read; what they raise is the answer.
        """
        self._app = app
        self.lifecycle = lifecycle
        self._metrics = metrics
        self._access_log = access_log
        self._max_body_bytes = max_body_bytes
        self._checks = checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP is passed on as it is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = self._open(scope)

        # Not async itself: a coroutine less for each message.
        def send_marked(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.answered = True
                message["headers"] = [*message.get("headers", ()), *exchange.headers]
            elif exchange.unread:
                message["more_body"] = True
            return send(message)

        async def answer(error: Exception) -> None:
            response = await answer_error(Request(scope), error)
            await response(scope, receive, send_marked)

        try:
            await self._respond(exchange, scope, receive, send_marked)
        except ClientGoneError:
            pass
        except asyncio.CancelledError:
            # By the worker's protocol: the body stalled, or the client is gone.
            if scope["state"].get("stalled"):
                exchange.unread = False
                await answer(BodyTimeoutError("The body did not arrive in time"))
        except Exception as error:
            # FastAPI answers and logs what it did not expect, then raises it again.
            if not exchange.answered:
                await answer(error)
        finally:
            self._close(scope, exchange)
        if exchange.unread:
            await _end_after_body(receive, send)

    async def _respond(
        self, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> None:
        for check in self._checks:
            check(scope)
        body = await self._read_body(scope, exchange.received, receive)
        exchange.unread = False
        lane = self._lane_of(scope, exchange.received)
        if lane is None:
            await self._app(scope, _replay(body, receive), send)
        else:
            await _send_json(await lane(body), send)

    def _open(self, scope: Scope) -> Exchange:
        # Of headers that are sent twice the first counts.
        received: Headers = dict(reversed(scope["headers"]))
        request_id = _request_id(received)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["task"] = asyncio.current_task()
        headers = [(b"x-request-id", request_id.encode())]
        served = self.lifecycle.digests.get(scope["path"])
        if served is not None:
            headers.append((b"x-model-digest", served[1].encode()))
        if self.lifecycle.draining:
            headers.append((b"connection", b"close"))
        return Exchange(request_id, received, headers, perf_counter(), served)

    def _lane_of(self, scope: Scope, received: Headers) -> Lane | None:
        """Find the short way to an answer; whatever is unusual takes the long way."""
        lane = self.lifecycle.lanes.get(scope["path"])
        if lane is None or scope["method"] != "POST" or scope["query_string"]:
            return None
        return lane if received.get(b"content-type") == b"application/json" else None

    async def _read_body(self, scope: Scope, received: Headers, receive: Receive) -> bytes:
        if scope["method"] in ("GET", "HEAD"):
            return b""
        declared = received.get(b"content-length")
        if declared is not None and int(declared) > self._max_body_bytes:
            raise BodyTooLargeError(f"The body is over {self._max_body_bytes} bytes")
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._max_body_bytes:
                raise BodyTooLargeError(f"The body is over {self._max_body_bytes} bytes")
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _route_of(self, scope: Scope) -> str:
        """Name what answered; paths that no route has are the caller's invention, and one name."""
        known = scope["path"] if scope["path"] in self.lifecycle.digests else "unmatched"
        return str(getattr(scope.get("route"), "path", known))

    def _close(self, scope: Scope, exchange: Exchange) -> None:
        seconds = perf_counter() - exchange.started
        path, method = scope["path"], scope["method"]
        route = self._route_of(scope)
        self._metrics.observe(route, method, exchange.status, seconds)
        client = scope["client"][0] if scope.get("client") else None
        self._access_log.write(
            time(),
            exchange.request_id,
            method,
            route,
            path,
            exchange.status,
            seconds,
            client,
            exchange.served,
        )


async def _send_json(body: bytes, send: Send) -> None:
    """Send an answer with the headers that a route's response has."""
    length = str(len(body)).encode()
    headers = [(b"content-length", length), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _end_after_body(receive: Receive, send: Send) -> None:
    """End an answer that was sent before the whole body was there, once that has come.

    The caller has all of the answer. But to close a connection that bytes still arrive on is
    to reset it, and the caller may then never read what was answered.
    """
    with suppress(asyncio.CancelledError):  # it took too long, or the caller is gone
        while (await receive()).get("more_body", False):
            pass
    await send({"type": "http.response.body"})


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand out the body that was read, then whatever comes after it."""
    pending = [body]

    async def replay() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replay


def _request_id(received: Headers) -> str:
    """Keep the caller's request id where it is harmless in a log, or make one."""
    given = received.get(b"x-request-id")
    if given is not None and USABLE_REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    return new_request_id()
