"""The contracts in the OpenAPI document, and Swagger UI from the service itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeAlias

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

REFERENCE = "#/components/schemas/{model}"


class WrongField(BaseModel):
    """One thing wrong in a request's body."""

    pointer: str
    code: str
    message: str


class Problem(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[WrongField] = []


def json_body(contract: type[BaseModel]) -> dict[str, Any]:
    """Declare a body that the handler parses itself from the raw bytes."""
    schema = {"$ref": REFERENCE.format(model=contract.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


Responses: TypeAlias = dict[int | str, dict[str, Any]]


def problem_response(description: str) -> dict[str, Any]:
    """Declare an answer that says why there is no other."""
    schema = {"$ref": REFERENCE.format(model=Problem.__name__)}
    content = {"application/problem+json": {"schema": schema}}
    return {"description": description, "content": content}


PROBLEMS: Responses = {
    408: problem_response("The body did not arrive in time."),
    413: problem_response("The body is too large."),
    415: problem_response("The body is not declared as JSON."),
    422: problem_response(
        "The body does not satisfy the contract; `errors` names every wrong field."
    ),
    500: problem_response("The model failed on this request."),
    503: problem_response(
        "The model has too many requests waiting: try again after `Retry-After` seconds."
    ),
    504: problem_response("The prediction took too long."),
}


def extend_document(api: FastAPI, extend: Callable[[dict[str, Any]], None]) -> None:
    """Let *extend* change the document once, after everything before it."""
    generate = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            extend(generate())
        return generate()

    api.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation extends it


def describe_contracts(api: FastAPI, contracts: Collection[type[BaseModel]]) -> None:
    """Add the schemas of *contracts*, which no route has as a parameter, to the document."""

    def extend(document: dict[str, Any]) -> None:
        described: list[type[BaseModel]] = [Problem, *contracts]
        _, definitions = models_json_schema(
            [(model, "validation") for model in described], ref_template=REFERENCE
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(definitions["$defs"])
        # FastAPI's own form of a refusal, which no route here answers with.
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        _set_formats(schemas)
        for _, operation in operations(document):
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                operation["responses"]["422"] = PROBLEMS[422]

    extend_document(api, extend)


def _set_formats(part: Any) -> None:
    """Say how wide numbers are: some generators take a float32 or an int32 for the usual one."""
    if isinstance(part, dict):
        if part.get("type") == "number":
            part["format"] = "double"
        elif part.get("type") == "integer" and "maximum" in part:
            part["format"] = "int64"
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            _set_formats(item)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through the document's operations, with their paths."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def serve_swagger_ui(api: FastAPI) -> None:
    """Serve Swagger UI at ``/``, with its scripts, so that it needs no other host."""
    api.mount("/static", StaticFiles(packages=[("fastapi_offline", "static")]), name="static")

    @api.get("/", include_in_schema=False)
    async def swagger_ui() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=api.title,
            swagger_js_url="static/swagger-ui-bundle.js",
            swagger_css_url="static/swagger-ui.css",
            swagger_favicon_url="static/favicon.png",
        )
