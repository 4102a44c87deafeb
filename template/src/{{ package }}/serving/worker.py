"""The Gunicorn worker: Uvicorn, with a drain before the end and a limit on slow headers."""

from __future__ import annotations

import asyncio
import math
import socket
import sys
import time
from collections.abc import Iterable
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter
from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from .edge import Edge
from .problems import new_request_id, problem

# Several times what browsers, proxies and tracing add up to.
MAX_HEAD_BYTES = 32_768

# How long a connection's first request, or the rest of a head, is waited for at the end.
FIRST_REQUEST_TENTHS = 10

# libuv takes one connection in a turn of the loop from each listener, and the more there are to
# serve the longer a turn is: the last of hundreds that come at once would wait for a second.
# More listeners would cost whoever opens a connection for each request too much.
LISTENERS = 4


class Protocol(HttpToolsProtocol):
    """One connection: a limit on slow, long or ambiguous requests, and no work for who is gone."""

    app: Edge
    _timer: asyncio.TimerHandle | None = None
    in_head = True
    _refused = False
    # Received since a head or a piece of a body was complete: heads, framing and trailers.
    _unused_bytes = 0

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
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._unused_bytes += len(data)
        try:
            self._parse(data)
        except HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if self._refused or self.transport.is_closing():
            return
        # What comes after a request that was answered is a head, even if it is blank so far.
        if self.in_head or self.cycle.response_complete:
            self._set_timer(self.app.lifecycle.header_timeout_seconds)
        elif self.cycle.more_body:
            self._set_timer(self.app.lifecycle.body_timeout_seconds)
        else:
            self._unused_bytes = 0
            self._cancel_timer()
        if self._unused_bytes > MAX_HEAD_BYTES:
            self.send_400_response("The request's head is too long.")

    def _parse(self, data: bytes | memoryview) -> None:
        """Parse *data* as if no head asked for another protocol.

        Of such a request the parser skips the body, so that its bytes, when they come, are
        taken for further requests. The same head without the question has its body.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                version = self.parser.get_http_version().encode()
                line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)
                kept = [header for header in self.headers if header[0] != b"upgrade"]
                fields = [b"%b: %b\r\n" % header for header in kept]
                self.parser.feed_data(b"".join([line, *fields, b"\r\n"]))
                data = memoryview(data)[upgrade.args[0] :]
            else:
                return

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        self.in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the head is complete; an exception here is answered 400."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError("this is no proxy")
            return
        self.in_head = False
        self._cancel_timer()
        if [name for name, _ in self.headers].count(b"host") != 1:
            raise ValueError("a request names one host")
        if self._unused_bytes > MAX_HEAD_BYTES:
            size = sum(len(name) + len(value) for name, value in self.headers)
            if size + len(self.url) > MAX_HEAD_BYTES:
                raise ValueError("the request's head is too long")
        self._unused_bytes = 0
        super().on_headers_complete()
        # Trailers are no headers: whether they were would depend on when they arrive.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unused_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the body is complete."""
        if not self.in_head:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request in the form of all other errors."""
        request_id = new_request_id()
        self.logger.warning(msg, extra={"request_id": request_id})
        response = problem(400, msg, request_id)
        response.headers["x-request-id"] = request_id
        response.headers["connection"] = "close"
        head = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
        body = bytes(response.body)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + body)
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()
            return
        # To close a connection that bytes still arrive on is to reset it, and the caller may then
        # never read the answer: it ends in this direction, and the rest is thrown away for a while.
        self._refused = True
        self.transport.write_eof()
        self._cancel_timer()
        self._set_timer(self.app.lifecycle.header_timeout_seconds)

    def _set_timer(self, seconds: float) -> None:
        """Give the head or the body some time; what arrives in one piece needs no timer."""
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._end_wait)

    def _end_wait(self) -> None:
        # An answer that has begun was a refusal, which only waits for the body's end.
        if self._refused or self.in_head or self.cycle.response_started:
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
        self._lifecycle.tasks = self.server_state.tasks
        self._drained_at = math.inf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the drain; a second signal ends it."""
        now = time.monotonic()
        self._drained_at = now if self._lifecycle.draining else now + self._lifecycle.drain_seconds
        self._lifecycle.draining = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, but answer what comes on those that were just accepted."""
        for server in self.servers:
            server.close()
        for _ in range(FIRST_REQUEST_TENTHS):
            await asyncio.sleep(0.1)
            waiting = [
                connection
                for connection in self.server_state.connections
                if isinstance(connection, Protocol) and connection.in_head
            ]
            if self.force_exit or not waiting:
                break
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether the drain is over."""
        if time.monotonic() >= self._drained_at:
            self.should_exit = True
        return await super().on_tick(counter)


def listeners_of(sockets: Iterable[socket.socket]) -> list[socket.socket]:
    """Listen to each of *sockets* several times, to take as many connections in a turn."""
    return [listening.dup() for listening in sockets for _ in range(LISTENERS)]


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
        await self._server.serve(sockets=listeners_of(self.sockets))
        if not self._server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End at once: Gunicorn sends SIGQUIT when it is to stop without grace."""
        self._server.should_exit = self._server.force_exit = True
