"""Models loaded before the fork, so that all workers share their memory."""

from __future__ import annotations

import gc

from .ml_models import MLModels
from .settings import Settings

_models: MLModels | None = None


def load(settings: Settings) -> None:
    """Load and verify the models in Gunicorn's main process.

    Raises:
        ArtifactError: a model is missing, was altered, or is not the pinned one.
    """
    global _models
    _models = MLModels(settings)
    # What is loaded now lives as long as the process: the collector need not look at it
    # again, nor touch its pages, which would copy them into each worker.
    gc.collect()
    gc.freeze()
    # Hundreds of requests at once are thousands of objects, and none of them is garbage: by the
    # default threshold the collector would look through them several times a turn of the loop.
    gc.set_threshold(5000)


def adopt() -> MLModels | None:
    """Return the models that were loaded before the fork, if they were."""
    return _models
