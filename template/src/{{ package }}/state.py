"""What the application's start leaves for its requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import Request

from .ml_models import MLModels
from .serving.edge import Lifecycle
from .serving.metrics import Metrics
from .settings import Settings


@dataclass(frozen=True, slots=True)
class State:
    """The parts of a running service."""

    settings: Settings
    models: MLModels
    metrics: Metrics
    lifecycle: Lifecycle


def state_of(request: Request) -> State:
    """Return the state of the service that answers *request*."""
    return cast(State, request.state.service)
