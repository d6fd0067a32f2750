"""The OpenAPI 3.1 document, from the route table and the types alone."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from grootboek import plain, webapi
from grootboek.api.routes import Route

__all__ = ["document"]

ALWAYS = (HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR)
"""Statuses of errors that every operation may end with."""


def document(routes: Sequence[Route], *, title: str, version: str) -> dict[str, Any]:
    """The whole document, as plain values."""
    kinds = [kind for route in routes for _, kind in route.answers if kind is not None]
    unique = list(dict.fromkeys([*kinds, webapi.ErrorBody]))
    schemas, components = plain.schemas(unique)
    by_kind = dict(zip(unique, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, by_kind)
        paths.setdefault(route.name, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(route: Route, by_kind: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    summary, _, rest = route.doc.partition("\n\n")
    good = {media: _content(media, by_kind.get(kind)) for media, kind in route.answers}
    error = {webapi.JSON: {"schema": by_kind[webapi.ErrorBody]}}
    responses: dict[str, Any] = {"200": {"description": "OK", "content": good}}
    for status in sorted({*ALWAYS, *route.statuses}):
        responses[str(int(status))] = {"description": status.phrase, "content": error}
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": " ".join(summary.split()),
        "parameters": [_parameter(route, item.name) for item in route.parameters],
        "responses": responses,
    }
    if rest:
        operation["description"] = rest
    if route.body:
        operation["requestBody"] = {"required": True, "content": {route.body: _content(route.body, None)}}
    return operation


def _parameter(route: Route, name: str) -> dict[str, Any]:
    item = next(item for item in route.parameters if item.name == name)
    place = "path" if f"{{{name}}}" in route.name else "query"
    schema = plain.schemas([item.schema])[0][0]
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": item.doc,
        "schema": schema,
    }


def _content(media: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    """The schema of a JSON body; other media types are described by the format's own document."""
    if media in {webapi.JSON, "text/event-stream"}:
        return {"schema": schema or {"type": "object"}}
    return {"schema": {"type": "string"}}
