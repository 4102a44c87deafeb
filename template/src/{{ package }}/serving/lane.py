"""The short way from a request's bytes to its answer, past FastAPI's routing.

It does what the handlers in routes.py do, with the same calls; tests hold the two side by
side. FAST_LANE=0 turns it off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import orjson

from .model import ServedModel

Lane: TypeAlias = Callable[[bytes], Awaitable[bytes]]


def lanes_of(models: Iterable[ServedModel], max_batch_rows: int) -> dict[str, Lane]:
    """Make the lanes of *models*, by path."""
    lanes: dict[str, Lane] = {}
    for model in models:
        lanes[model.contract.endpoint] = _single(model)
        lanes[f"{model.contract.endpoint}/batch"] = _batch(model, max_batch_rows)
    return lanes


def to_json(content: dict[str, Any]) -> bytes:
    """Write an answer that may hold NumPy numbers and arrays."""
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def _single(model: ServedModel) -> Lane:
    async def answer(body: bytes) -> bytes:
        outputs = await model.predict(model.contract.parse(body))
        return to_json(model.contract.answer.one(outputs))

    return answer


def _batch(model: ServedModel, max_rows: int) -> Lane:
    async def answer(body: bytes) -> bytes:
        outputs = await model.predict(model.contract.parse_batch(body, max_rows))
        return to_json(model.contract.answer.many(outputs))

    return answer
