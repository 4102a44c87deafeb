"""Every way in which a request or a start can fail, with the HTTP status on the class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    # Settings raise these errors before NumPy may be imported (see gunicorn.conf.py).
    from .types import FieldError


MAX_ERRORS = 100
MAX_POINTER_LENGTH = 300


def json_pointer(location: Iterable[int | str]) -> str:
    """Write a path into a body as RFC 6901 has it."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in parts)[:MAX_POINTER_LENGTH]


class ServiceError(Exception):
    """Root of the service's own errors. The text is shown to the caller, so it holds no internals."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class SettingsError(ServiceError):
    """An environment variable holds a value that the service cannot use."""


class ArtifactError(ServiceError):
    """A model is missing, altered, unreadable, or not the one that was sealed."""


class ContractError(ServiceError):
    """The request does not satisfy the model's contract."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class MediaTypeError(ServiceError):
    """The request's body is declared as something else than JSON."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class BodyTooLargeError(ServiceError):
    """The request's body is longer than MAX_BODY_BYTES."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BodyTimeoutError(ServiceError):
    """The request's body did not arrive within BODY_TIMEOUT_SECONDS."""

    status = HTTPStatus.REQUEST_TIMEOUT
    headers: ClassVar[Mapping[str, str]] = {"connection": "close"}


class NotReadyError(ServiceError):
    """The worker is shutting down, so no new traffic should be sent to it."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class OverloadedError(ServiceError):
    """The model's queue is so long that the request would miss its deadline."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[Mapping[str, str]] = {"retry-after": "1"}


class DeadlineError(ServiceError):
    """The prediction was not there within REQUEST_TIMEOUT_SECONDS."""

    status = HTTPStatus.GATEWAY_TIMEOUT


class PredictionError(ServiceError):
    """The model failed on this request."""

    reason: ClassVar[str] = "error"


class NotFiniteError(PredictionError):
    """The model answered NaN or infinity, which JSON cannot carry and nobody should act on."""

    reason = "nan"
