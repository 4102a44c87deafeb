"""Models to read bodies with, which cost little when a body does not satisfy them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    create_model,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

FLOAT32_MAX = 3.4028234663852886e38
"""A larger float is valid JSON, but infinite in the matrix."""

INTEGER_MAX = 2**53
"""A larger integer is not exact as a float."""

Model = TypeVar("Model", bound=BaseModel)


def _to_integer(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool | float):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


INTEGER = BeforeValidator(_to_integer)
"""Marks a category of integers: of any size, and true is none, which a Literal takes for 1."""


class Whole:
    """Marks a number that is an integer, also if written as 3.0: JSON Schema makes no difference."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Convert numbers, and nothing else: a conversion by itself takes text and booleans."""
        number = core_schema.union_schema(
            [
                core_schema.int_schema(strict=True),
                core_schema.float_schema(strict=True, ge=-INTEGER_MAX, le=INTEGER_MAX),
            ],
            custom_error_type="int_type",
        )
        return core_schema.chain_schema([number, handler(source)])

    def __get_pydantic_json_schema__(
        self, schema: core_schema.ChainSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the integer that it becomes."""
        return handler(schema["steps"][-1])


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
    """Return the type of *field* with its limits and *marks*, as it is read."""
    annotation: Any = field.annotation
    limits = field.metadata
    if annotation in (int, int | None) and INTEGER not in limits:
        whole = Annotated[(int, Strict(False), *limits, Whole())]
        annotation, limits = whole if annotation is int else whole | None, []
    # Annotated needs a second argument, also where the field has no limits.
    return Annotated[(annotation, *(limits or [None]), *marks)]
