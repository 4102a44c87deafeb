"""Probes and metadata."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from .errors import NotReadyError
from .serving.openapi import problem_response
from .state import state_of
from .types import Framework, Task

router = APIRouter(tags=["service"])


class Health(BaseModel):
    """The answer of a probe."""

    status: str = "ok"


class ModelSummary(BaseModel):
    """A model that is served."""

    name: str
    endpoint: str
    framework: Framework
    task: Task
    digest: str


class ModelList(BaseModel):
    """All models that are served."""

    models: list[ModelSummary]


@router.get("/livez")
async def get_livez() -> Health:
    """Tell whether the event loop still turns."""
    return Health()


@router.get("/readyz", responses={503: problem_response("The worker is shutting down.")})
async def get_readyz(request: Request) -> Health:
    """Tell whether new traffic is welcome: from verified models on, until the shutdown begins."""
    if state_of(request).lifecycle.draining:
        raise NotReadyError("This worker is shutting down")
    return Health()


@router.get("/metrics", response_class=Response)
async def get_metrics(request: Request) -> Response:
    """Expose the metrics of all workers to Prometheus."""
    return Response(state_of(request).metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


@router.get("/models")
async def get_models(request: Request) -> ModelList:
    """List the models with the digests of their artifacts."""
    return ModelList(
        models=[
            ModelSummary(
                name=model.contract.name,
                endpoint=model.contract.endpoint,
                framework=model.contract.framework,
                task=model.contract.task,
                digest=model.digest,
            )
            for model in state_of(request).models
        ]
    )
