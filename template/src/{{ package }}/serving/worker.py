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


class Protocol(HttpToolsProtocol):
    """One connection, closed when a request's head does not arrive in time."""

    app: Edge
    _head_timer: asyncio.TimerHandle | None = None
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the connection's first request its time."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer with the connection."""
        self._forget_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; a timer is needed only where a head did not arrive in one piece."""
        super().data_received(data)
        if self._in_head and self._head_timer is None and not self.transport.is_closing():
            self._await_head()

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the head is complete."""
        self._in_head = False
        self._forget_head()
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

    def _await_head(self) -> None:
        seconds = self.app.lifecycle.header_timeout_seconds
        self._head_timer = self.loop.call_later(seconds, self.transport.close)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


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
        server = DrainingServer(self.config, self.wsgi)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
