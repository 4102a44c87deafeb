"""The contracts in the OpenAPI document, and Swagger UI from the service itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

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


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {
            "application/problem+json": {"schema": {"$ref": REFERENCE.format(model="Problem")}}
        },
    }
    for status, description in {
        413: "The body is too large.",
        415: "The body is not declared as JSON.",
        422: "The body does not satisfy the contract; `errors` names every wrong field.",
        500: "The model failed on this request.",
        503: "The model has too many requests waiting: try again after `Retry-After` seconds.",
        504: "The prediction took too long.",
    }.items()
}


def describe_contracts(api: FastAPI, contracts: Collection[type[BaseModel]]) -> None:
    """Add the schemas of *contracts*, which no route has as a parameter, to the document."""
    generate = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            document = generate()
            described: list[type[BaseModel]] = [Problem, *contracts]
            _, definitions = models_json_schema(
                [(model, "validation") for model in described], ref_template=REFERENCE
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(definitions["$defs"])
        return generate()

    api.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation extends it


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
