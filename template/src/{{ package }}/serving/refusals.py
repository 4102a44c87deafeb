"""What is wrong with a request's body, in words that name the place and never the value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import MAX_ERRORS, ContractError, json_pointer
from ..types import FieldError
from .reading import Absent

if TYPE_CHECKING:
    from .contract import Feature

MAX_COUNTED_ERRORS = 65_536


def contract_error(error: ValidationError) -> ContractError:
    """Name every wrong field by its path, up to a readable number of them."""
    count = error.error_count()
    if count > MAX_COUNTED_ERRORS:
        message = f"More than {MAX_COUNTED_ERRORS} values are wrong or unknown"
        errors = [FieldError(pointer="", code="too_many_errors", message=message)]
    else:
        found = error.errors(include_url=False, include_context=False)
        errors = [_field_error(item) for item in found[:MAX_ERRORS]]
    values = "1 value does" if count == 1 else f"{count} values do"
    return ContractError(f"{values} not satisfy the contract", errors)


def _field_error(item: ErrorDetails) -> FieldError:
    location, value = item["loc"], item["input"]
    if isinstance(value, Absent):
        pointer = json_pointer((*location[:-1], value.name))
        return FieldError(pointer=pointer, code="missing", message="Field required")
    return FieldError(pointer=json_pointer(location), code=item["type"], message=item["msg"])


def check_columns(
    features: Sequence[Feature], columns: Sequence[Sequence[Any]], max_rows: int
) -> int:
    """Count the rows of *columns*.

    Raises:
        ContractError: they differ in length, or are longer than *max_rows*.
    """
    rows = len(columns[0])
    check_rows("/columns", rows, max_rows)
    for feature, values in zip(features, columns):
        if len(values) != rows:
            pointer = json_pointer(("columns", feature.name))
            message = f"Column should have {rows} values like the first, not {len(values)}"
            error = FieldError(pointer=pointer, code="ragged", message=message)
            raise ContractError("The columns differ in length", [error])
    return rows


def check_rows(pointer: str, rows: int, max_rows: int) -> None:
    """Refuse a batch of more than *max_rows*.

    Raises:
        ContractError: it has more.
    """
    if rows > max_rows:
        message = f"A batch should have at most {max_rows} rows, not {rows}"
        error = FieldError(pointer=pointer, code="too_many_rows", message=message)
        raise ContractError("The batch is too large", [error])
