"""Requests as bytes on a socket, which no well-behaved client would send, and their answers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http.client import parse_headers
from typing import Any

import httpx2

from ..service.server import HEADERS, PATIENCE_SECONDS


@dataclass(frozen=True)
class Answer:
    """What a connection answered to one request."""

    status: int
    headers: Message
    body: bytes

    def problem(self) -> dict[str, Any]:
        """Parse an error, whose form is the same for all of them."""
        assert self.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["request_id"] == self.headers["x-request-id"]
        return problem


class Wire:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.received = connection.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send *data*, or as much as the other side takes."""
        with suppress(ConnectionError):
            self.socket.sendall(data)

    def answer(self) -> Answer | None:
        """Read the next answer; None if the connection is closed before it."""
        line = self.received.readline()
        if not line:
            return None
        headers = parse_headers(self.received)
        body = self.received.read(int(headers["content-length"]))
        return Answer(int(line.split()[1]), headers, body)

    def answers(self) -> list[Answer]:
        """Read all answers until the connection is closed."""
        return list(iter(self.answer, None))

    def is_closed(self) -> bool:
        """Wait until the other side hangs up, which it does without a further word."""
        with suppress(ConnectionError):
            return not self.received.read()
        return True


@contextmanager
def connect(port: int) -> Iterator[Wire]:
    """Open a connection for as long as the block lasts."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
        wire = Wire(connection)
        try:
            yield wire
        finally:
            wire.received.close()


def head(method: str, path: str, **headers: str) -> bytes:
    """Write a request's head; an underscore in a header's name stands for a hyphen."""
    fields = {"host": "test"} | {name.lower(): value for name, value in HEADERS.items()}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def get(path: str, **headers: str) -> bytes:
    """Write a request without a body."""
    return head("GET", path, **headers)


def post(path: str, body: bytes, **headers: str) -> bytes:
    """Write a request with a body."""
    return head("POST", path, content_length=str(len(body)), **headers) + body


def chunk(data: bytes) -> bytes:
    """Write a piece of a chunked body; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def refusal(answer: httpx2.Response, status: int = 422) -> list[dict[str, str]]:
    """Return what is said to be wrong by an answer that must be a refusal."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == problem["status"] == status, problem
    errors: list[dict[str, str]] = problem.get("errors", [])
    assert len(errors) <= 100
    return errors
