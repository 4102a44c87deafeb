"""Logs: one JSON object a line, on standard output."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson

# What every record has; anything else came through `extra`.
STANDARD_FIELDS = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message"}

# POSIX keeps writes of up to PIPE_BUF bytes whole when several workers share one pipe.
PIPE_BUF = 4096

Access: TypeAlias = tuple[
    float,  # time
    str,  # request id
    str,  # method
    str,  # route
    str,  # path
    int,  # status
    float,  # seconds
    str | None,  # client
    tuple[str, str] | None,  # model and digest
]


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger, message, the extra fields, and the traceback if any."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        entry |= {key: value for key, value in vars(record).items() if key not in STANDARD_FIELDS}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=str).decode()


def logging_config(level: str) -> dict[str, Any]:
    """Configure the standard library's logging: everything as JSON on standard output."""
    handlers = ["stdout"]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stdout",
            }
        },
        "root": {"level": level.upper(), "handlers": handlers},
        "loggers": {
            # Gunicorn fills in loggers of its own unless they are named.
            "gunicorn.error": {"level": level.upper(), "handlers": handlers, "propagate": False},
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        },
    }


class AccessLog:
    """Writes one line per request from a thread of its own, so that the loop never waits for it."""

    INTERVAL_SECONDS = 0.05

    def __init__(self, level: str) -> None:
        """Log requests, which are of level info, unless *level* is above that."""
        self._wanted = level in ("debug", "info")
        self._entries: deque[Access] = deque()
        self._second = (0, "")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)

    def start(self) -> None:
        """Start the writing thread. Threads do not survive a fork, so only ever in a worker."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end the thread."""
        self._stopping.set()
        self._thread.join()

    def write(self, *access: *Access) -> None:
        """Note one request; it is on standard output some 50 ms later."""
        if self._wanted:
            self._entries.append(access)

    def _run(self) -> None:
        while not self._stopping.wait(self.INTERVAL_SECONDS):
            self._drain()
        self._drain()

    def _drain(self) -> None:
        chunk = b""
        while self._entries:
            line = self._format(*self._entries.popleft())
            if chunk and len(chunk) + len(line) > PIPE_BUF:
                self._write(chunk)
                chunk = b""
            chunk += line
        if chunk:
            self._write(chunk)

    def _format(
        self,
        at: float,
        request_id: str,
        method: str,
        route: str,
        path: str,
        status: int,
        seconds: float,
        client: str | None,
        served: tuple[str, str] | None,
    ) -> bytes:
        entry = {
            "time": self._time(at),
            "level": "info",
            "logger": "access",
            "message": f"{method} {route}",
            "request_id": request_id,
            "method": method,
            "path": path,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
            "client": client,
        }
        if served is not None:
            entry["model"], entry["digest"] = served
        return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)

    def _time(self, at: float) -> str:
        """Write a time as elsewhere in the log; most lines are of the same second."""
        second = int(at)
        if second != self._second[0]:
            self._second = (second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}")
        return f"{self._second[1]}.{int(at % 1 * 1000):03}+00:00"

    @staticmethod
    def _write(chunk: bytes) -> None:
        try:
            os.write(sys.stdout.fileno(), chunk)
        except OSError:  # nobody reads the log any more; the service goes on
            return
