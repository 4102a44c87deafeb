"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..errors import MAX_ERRORS, ServiceError, json_pointer
from ..types import FieldError

logger = logging.getLogger(__name__)


def problem(
    status: int,
    detail: str,
    request_id: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Compose an ``application/problem+json`` answer."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    if errors:
        body["errors"] = errors
    return Response(orjson.dumps(body), status, headers, "application/problem+json")


def new_request_id() -> str:
    """Make an id for a request that came without a usable one."""
    # An identifier, not a secret: the fast generator will do.
    return f"{random.getrandbits(128):032x}"


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer whatever was raised: the one error handler of the service.

    A failure of the service's own is logged here, once, with its cause and the request's id.
    """
    request_id: str = request.state.request_id
    if isinstance(error, HTTPException):
        return problem(error.status_code, error.detail, request_id, headers=error.headers)
    if isinstance(error, RequestValidationError):
        wrong = [_field_error(item) for item in error.errors()[:MAX_ERRORS]]
        return problem(422, "The request is not what the endpoint expects", request_id, wrong)
    if not isinstance(error, ServiceError):
        logger.error("unexpected error", exc_info=error, extra={"request_id": request_id})
        return problem(500, "The service failed on this request", request_id)
    log_cause(error, request_id)
    return problem(error.status, error.detail, request_id, error.errors, error.headers)


def log_cause(error: ServiceError, request_id: str) -> None:
    """Log a failure of the service's own; what is the caller's has no cause."""
    if error.__cause__ is not None:
        logger.error(error.detail, exc_info=error.__cause__, extra={"request_id": request_id})


def _field_error(item: Mapping[str, Any]) -> FieldError:
    """Name what FastAPI found wrong with a parameter or a body; the value is left out."""
    place, *location = item["loc"]
    parts = location if place == "body" else [place, *location]
    return FieldError(pointer=json_pointer(parts), code=item["type"], message=item["msg"])
