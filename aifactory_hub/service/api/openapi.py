"""The API's description, OpenAPI 3.1, made from the routes and the types of what goes in and out: pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from tornado.web import RequestHandler

from ..answer_types import Problem
from .operations import Access, Operation, operation_of

Route = tuple[str, type[RequestHandler]]

_METHODS = ("get", "post", "put", "patch", "delete")
_PARAMETER = re.compile(r"\{([a-z_0-9]+)\}")
_REFERENCE = "#/components/schemas/{model}"
_ABOUT = """Jobs and quota for the people of each tenant of a shared GPU cluster.

A hub user's token with access to the service goes into the header `Authorization: Bearer <token>`; in a notebook it is
the value of `JUPYTERHUB_API_TOKEN`. Whatever goes wrong is answered as RFC 9457 has it, with a stable `reason`.
"""
_SCHEMES = {
    Access.PERSON: ("hubToken", "A hub user's token, with the scopes of the tenant."),
    Access.RUNNER: ("jobToken", "The job's own token, which only its runner has."),
    Access.SITE: ("siteToken", "The token that hub and service share (AIFACTORY_HUB_SERVICE_TOKEN)."),
    Access.PROVISIONER: ("provisionerToken", "The provisioner's own token (AIFACTORY_HUB_PROVISIONER_TOKEN)."),
}


def document(routes: Sequence[Route], *, prefix: str, version: str) -> dict[str, Any]:
    """The whole description of ``routes``, which are pairs of a path with ``{names}`` and its handler."""
    operations = [(path, method, op) for path, handler in routes for method, op in _operations(handler)]
    references, definitions = _schemas([op for _, _, op in operations])
    paths: dict[str, dict[str, Any]] = {}
    for path, method, op in operations:
        paths.setdefault(path, {})[method] = _operation(path, op, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "AIFactory jobs", "version": version, "description": _ABOUT},
        "servers": [{"url": prefix.rstrip("/") + "/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": said} for name, said in _SCHEMES.values()
            },
        },
    }


def _operations(handler: type[RequestHandler]) -> Iterator[tuple[str, Operation]]:
    for method in _METHODS:
        op = operation_of(getattr(handler, method))
        if op is not None:
            yield method, op


def _schemas(operations: Sequence[Operation]) -> tuple[Mapping[Any, Any], dict[str, Any]]:
    """Where each type is described, and all descriptions."""
    answers = [op.answer for op in operations if op.answer is not None]
    wanted: list[Any] = [(answer, "serialization", TypeAdapter(answer)) for answer in [Problem, *answers]]
    wanted += [(op.body, "validation", TypeAdapter(op.body)) for op in operations if op.body is not None]
    unique = {(kind, mode): (kind, mode, adapter) for kind, mode, adapter in wanted}
    found, schema = TypeAdapter.json_schemas(unique.values(), ref_template=_REFERENCE)
    return {kind: reference for (kind, _), reference in found.items()}, schema["$defs"]


def _operation(path: str, op: Operation, references: Mapping[Any, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"operationId": op.id, "summary": op.summary, "responses": _responses(op, references)}
    parameters = [*_path_parameters(path), *_query_parameters(op.query), *_headers(op)]
    if parameters:
        made["parameters"] = parameters
    if op.body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": references[op.body]}}}
    if op.receives is not None:
        made["requestBody"] = {"required": True, "content": {op.receives: {"schema": {}}}}
    if op.access in _SCHEMES:
        made["security"] = [{_SCHEMES[op.access][0]: []}]
    return made


def _responses(op: Operation, references: Mapping[Any, Any]) -> dict[str, Any]:
    schema = references[op.answer] if op.answer is not None else {"type": "string"}
    good = {
        str(status): {"description": op.summary, "content": {op.media_type: {"schema": schema}}}
        for status in op.statuses
    }
    problem = {"application/problem+json": {"schema": references[Problem]}}
    return {**good, "default": {"description": "What went wrong.", "content": problem}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ]


def _query_parameters(query: type[BaseModel] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    schema = query.model_json_schema(ref_template=_REFERENCE)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", []),
            "description": about.get("description", ""),
            "schema": {k: v for k, v in about.items() if k not in ("title", "description")},
        }
        for name, about in schema["properties"].items()
    ]


def _headers(op: Operation) -> list[dict[str, Any]]:
    return [{"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in op.headers]
