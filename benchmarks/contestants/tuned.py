"""The worker that all contestants get: Uvicorn with the settings of the rendered service."""

from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker


class Worker(UvicornWorker):
    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "date_header": False,
    }
