"""A model's contract: how request bodies become rows, and outputs become answers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import numpy as np
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from ..types import ArtifactFormat, Framework, Label, Matrix, Task
from .answers import Answer, Scores
from .reading import for_reading, marked
from .refusals import MAX_COUNTED_ERRORS, check_columns, check_rows, contract_error

DTYPES: dict[Framework, Literal["f4", "f8"]] = {
    "catboost": "f8",
    "lightgbm": "f8",
    "onnx": "f4",
    "sklearn": "f8",
    "xgboost": "f4",
}
"""The width that each framework computes in, so that no value is rounded on the way in."""

STRICT = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

FeatureType: TypeAlias = Literal["float", "int", "bool", "category", "datetime", "string"]


class Instance(BaseModel):
    """One row of features, as a caller sends it."""

    model_config = STRICT


def _describe_one_form(schema: dict[str, Any]) -> None:
    """Say that exactly one property is given, as generators of clients can read it."""
    schema["minProperties"] = schema["maxProperties"] = 1
    for form in schema["properties"].values():
        form.pop("default", None)


class Batch(BaseModel):
    """Many rows in one request, by row or by column."""

    model_config = ConfigDict(**STRICT, json_schema_extra=_describe_one_form)

    instances: list[Instance] = []
    columns: Instance | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Batch:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError("one_of", "Give either instances or columns")
        return self


class Known:
    """Marks a category whose other values are accepted and count as missing."""

    def __init__(self, *values: Label) -> None:
        self.values = values


class Other(Known):
    """Marks one whose other values are one more category, which training has not seen."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the matrix, or a request's value of which the team derives some."""

    name: str
    type: FeatureType
    categories: tuple[Label, ...] = ()

    @classmethod
    def from_field(cls, attribute: str, field: FieldInfo) -> Feature:
        """Read the column off an instance's field."""
        name = field.alias or attribute
        annotation = field.annotation
        if NoneType in get_args(annotation):
            annotation = get_args(annotation)[0]
        for mark in field.metadata:
            if isinstance(mark, Known):
                return cls(name, "category", mark.values)
        if get_origin(annotation) is Literal:
            return cls(name, "category", get_args(annotation))
        types: dict[Any, FeatureType] = {
            float: "float",
            int: "int",
            bool: "bool",
            str: "string",
            AwareDatetime: "datetime",
        }
        return cls(name, types[annotation])


def _encoder(feature: Feature, field: FieldInfo) -> Callable[[Any], float] | None:
    """How a value becomes a number; None where it is one already."""
    if feature.type == "category":
        codes: dict[Label | None, float] = {
            value: float(code) for code, value in enumerate(feature.categories)
        }
        is_open = any(isinstance(mark, Other) for mark in field.metadata)
        other = float(len(codes)) if is_open else np.nan
        codes[None] = np.nan
        return lambda value: codes.get(value, other)
    if NoneType in get_args(field.annotation):
        return lambda value: np.nan if value is None else value
    return None


def _columns_type(instance: type[Instance]) -> type[Instance]:
    """Derive a batch's columns from the instance: the same fields with the same limits."""
    prefix = instance.__name__.removesuffix("Instance")
    columns: dict[str, Any] = {
        attribute: (
            list[marked(field)],  # type: ignore[misc]
            Field(
                alias=field.alias,
                min_length=1,
                description=field.description,
                examples=[field.examples],
            ),
        )
        for attribute, field in instance.model_fields.items()
    }
    return create_model(f"{prefix}Columns", __base__=Instance, **columns)


def _batch_type(instance: type[Instance], columns: type[Instance], *marks: Any) -> type[Batch]:
    """Derive the batch request from the instance and the columns."""
    prefix = instance.__name__.removesuffix("Instance")
    instances: Any = Annotated[(list[instance], Field(min_length=1), *marks)]  # type: ignore[valid-type]
    return create_model(
        f"{prefix}Batch",
        __base__=Batch,
        instances=(instances, []),
        columns=(columns, Field(default=None)),
    )


class Contract:
    """What a model is, what it accepts and what it answers."""

    def __init__(
        self,
        *,
        name: str,
        endpoint: str,
        framework: Framework,
        format: ArtifactFormat,
        task: Task,
        artifact: str,
        native: str | None = None,
        instance: type[Instance],
        answer: Answer,
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self.framework = framework
        self.format = format
        self.task = task
        self.artifact, self.native = artifact, native  # the latter is what ONNX is compiled from
        self.instance = instance
        self.answer, self.raw = answer, isinstance(answer, Scores)
        columns = _columns_type(instance)
        self.batch = _batch_type(instance, columns)
        self._instance = for_reading(instance)
        self._batch = _batch_type(self._instance, for_reading(columns))
        first_error = FailFast()
        self._large_batch = _batch_type(
            self._instance, for_reading(columns, first_error), first_error
        )
        self.dtype = np.dtype(DTYPES[self.runtime])
        fields = instance.model_fields
        # What a request has, and what the matrix has: the same, unless columns are derived.
        self.inputs = tuple(Feature.from_field(*item) for item in fields.items())
        self.features = self.inputs
        self._encoders = tuple(map(_encoder, self.inputs, fields.values()))
        self._to_encode = tuple(
            (index, encode) for index, encode in enumerate(self._encoders) if encode is not None
        )
        self._pack = struct.Struct(f"<{len(fields)}{self.dtype.char}").pack
        self.row_bytes = len(fields) * self.dtype.itemsize

    @property
    def runtime(self) -> Framework:
        """The framework whose library predicts."""
        return self.framework if self.native is None else "onnx"

    def parse(self, body: bytes) -> bytes:
        """Turn one instance into one packed row of the matrix.

        Raises:
            ContractError: *body* does not satisfy the contract.
        """
        try:
            return self._row(self._instance.model_validate_json(body))
        except ValidationError as error:
            raise contract_error(error) from None

    def parse_batch(self, body: bytes, max_rows: int) -> bytes:
        """Turn a batch, given by rows or by columns, into packed rows.

        Raises:
            ContractError: *body* does not satisfy the contract, its columns differ
                in length, or it holds more than *max_rows* rows.
        """
        try:
            # Quicker, and the first error is all that it takes to look again.
            batch = self._large_batch.model_validate_json(body)
        except ValidationError as error:
            raise contract_error(self._all_errors(body, error)) from None
        if batch.columns is None:
            check_rows("/instances", len(batch.instances), max_rows)
            return b"".join(map(self._row, batch.instances))
        return self._pack_columns(list(vars(batch.columns).values()), max_rows)

    def _all_errors(self, body: bytes, first: ValidationError) -> ValidationError:
        """Look for errors anew, thoroughly, each of which takes some microseconds.

        Of a batch that may hold very many it is the *first*: the first wrong row is named, or
        the first wrong value of each column.
        """
        values = body.count(b",") + body.count(b"{") * len(self.features)
        if values <= MAX_COUNTED_ERRORS:
            try:
                self._batch.model_validate_json(body)
            except ValidationError as error:
                return error
        return first

    def matrix(self, packed: bytes) -> Matrix:
        """View packed rows as the matrix: shape (rows, features)."""
        matrix: Matrix = np.frombuffer(packed, self.dtype).reshape(-1, len(self.features))
        return matrix

    def example(self) -> dict[str, Any]:
        """Compose a valid instance of the features' declared examples."""
        fields = self.instance.model_fields.values()
        names = (feature.name for feature in self.inputs)
        return {name: field.examples[0] for name, field in zip(names, fields) if field.examples}

    def _row(self, instance: Instance) -> bytes:
        values = list(vars(instance).values())
        for index, encode in self._to_encode:
            values[index] = encode(values[index])
        return self._pack(*values)

    def _pack_columns(self, columns: list[list[Any]], max_rows: int) -> bytes:
        rows = check_columns(self.features, columns, max_rows)
        pack = struct.Struct(f"<{rows}{self.dtype.char}").pack
        packed = [
            pack(*(map(encode, values) if encode else values))
            for encode, values in zip(self._encoders, columns)
        ]
        by_column = np.frombuffer(b"".join(packed), self.dtype).reshape(-1, rows)
        return by_column.T.tobytes()
