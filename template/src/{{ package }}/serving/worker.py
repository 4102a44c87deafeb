"""The Gunicorn worker: Uvicorn, with a drain before the end and a limit on slow headers."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from .edge import Edge
from .problems import new_request_id, problem

# Several times what browsers, proxies and tracing add up to.
MAX_HEAD_BYTES = 32_768


class Protocol(HttpToolsProtocol):
    """One connection: a limit on slow, long or ambiguous heads, and no work for who is gone."""

    app: Edge
    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the connection's first request its time."""
        super().connection_made(transport)
        self._set_timer(self.app.lifecycle.header_timeout_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop what nobody waits for any more."""
        self._cancel_timer()
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel_task()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and see to it that what is incomplete does not stay so."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("The request's head is too long.")
            self._set_timer(self.app.lifecycle.header_timeout_seconds)
            return
        self._head_bytes = 0
        if self.cycle.more_body:
            self._set_timer(self.app.lifecycle.body_timeout_seconds)
        else:
            self._cancel_timer()

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the head is complete; an exception here is answered 400."""
        self._in_head = False
        self._cancel_timer()
        if [name for name, _ in self.headers].count(b"host") != 1:
            raise ValueError("a request names one host")
        if self._head_bytes > MAX_HEAD_BYTES:
            size = sum(len(name) + len(value) for name, value in self.headers)
            if size + len(self.url) > MAX_HEAD_BYTES:
                raise ValueError("the request's head is too long")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request in the form of all other errors."""
        request_id = new_request_id()
        response = problem(400, msg, request_id)
        response.headers["x-request-id"] = request_id
        response.headers["connection"] = "close"
        head = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
        body = bytes(response.body)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + body)
        self.transport.close()

    def _set_timer(self, seconds: float) -> None:
        """Give the head or the body some time; what arrives in one piece needs no timer."""
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._end_wait)

    def _end_wait(self) -> None:
        # The body of a request that was already refused is read and dropped for a while:
        # closing at once would reset the connection before the caller has read the answer.
        if self._in_head or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.scope["state"]["stalled"] = True
            self._cancel_task()

    def _cancel_task(self) -> None:
        """Stop the task that answers the current request, if it has begun."""
        task: asyncio.Task[None] | None = self.cycle.scope["state"].get("task")
        if task is not None:
            task.cancel()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class DrainingServer(Server):
    """Goes on accepting for a while after SIGTERM.

    A load balancer needs that while to learn that this server is going away; until then
    it sends requests, on new and on kept connections, and none of them may be lost.
    """

    def __init__(self, config: Config, app: Edge) -> None:
        super().__init__(config)
        self._lifecycle = app.lifecycle
        self._drained_at = math.inf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the drain; a second signal ends it."""
        now = time.monotonic()
        self._drained_at = now if self._lifecycle.draining else now + self._lifecycle.drain_seconds
        self._lifecycle.draining = True

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether the drain is over."""
        if time.monotonic() >= self._drained_at:
            self.should_exit = True
        return await super().on_tick(counter)


class Worker(UvicornWorker):  # type: ignore[misc]  # it has no type information
    """Uvicorn as a Gunicorn worker, tuned: what this service does not use is off."""

    CONFIG_KWARGS: dict[str, Any] = {  # noqa: RUF012  # the base class declares it so
        "loop": "uvloop",
        "http": Protocol,
        "ws": "none",
        "interface": "asgi3",
        "lifespan": "on",
        # The edge logs and counts; proxies are told apart by nothing here.
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "date_header": False,
    }

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        self._server = DrainingServer(self.config, self.wsgi)
        self._install_sigquit_handler()
        await self._server.serve(sockets=self.sockets)
        if not self._server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End at once: Gunicorn sends SIGQUIT when it is to stop without grace."""
        self._server.should_exit = self._server.force_exit = True
