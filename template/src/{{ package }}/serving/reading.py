"""Models to read bodies with, which cost little when a body does not satisfy them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

Model = TypeVar("Model", bound=BaseModel)


def _check_integer(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


INTEGER = BeforeValidator(_check_integer)
"""Marks a category of integers: by itself, a Literal takes true and 1.0 for 1."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Stands for a field that was not sent: no type accepts it as a value."""

    name: str


def for_reading(model: type[Model], *marks: Any) -> type[Model]:
    """Derive a model that refuses what *model* does; *marks* are added to every field.

    Pydantic attaches all that was sent to the error of each missing field: with some hundred
    fields, a body of some megabytes would stop the event loop for a minute. To the error of
    a default it attaches that default alone.
    """
    fields: dict[str, Any] = {
        attribute: (
            marked(field, *marks),
            Field(
                alias=field.alias,
                default=Absent(field.alias or attribute),
                validate_default=True,
            ),
        )
        for attribute, field in model.model_fields.items()
    }
    return create_model(model.__name__, __base__=model, **fields)


def marked(field: FieldInfo, *marks: Any) -> Any:
    """Return the type of *field* with its limits and *marks*."""
    # Annotated needs a second argument, also where the field has no limits.
    return Annotated[(field.annotation, *(field.metadata or [None]), *marks)]
