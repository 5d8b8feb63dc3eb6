"""The OpenAPI 3.1 document, made from OPERATIONS.

Invariants: nothing is described that is not in the table, and nothing in the table is left out; the text is the same for every caller."""

from __future__ import annotations

from functools import cache
from typing import Any

import pydantic_core
from pydantic import BaseModel, TypeAdapter

from api.dialects import DIALECTS
from api.dialects.dialect import Dialect
from api.dialects.native.models import ProblemOut
from api.faults import STATUSES
from api.operation import Operation, Parameter, Reply, Scope

_REFS = "#/components/schemas/{model}"


@cache
def text(name: str = "native") -> bytes:
    """The document of one dialect, as JSON."""
    return pydantic_core.to_json(
        document(next(dialect for dialect in DIALECTS if dialect.name == name))
    )


def document(dialect: Dialect) -> dict[str, Any]:
    """The OpenAPI document of one dialect."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for operation in dialect.operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            dialect, operation, schemas
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": dialect.title, "version": "1", "description": dialect.description},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": dict(dialect.security),
        },
    }


def _operation(dialect: Dialect, operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": operation.description or operation.summary,
        "x-scope": operation.scope.value,
        "security": []
        if operation.scope is Scope.PUBLIC
        else [{name: [] for name in dialect.security}],
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": {
            **{str(reply.status): _reply(reply, schemas) for reply in operation.replies},
            **_faults(dialect, operation, schemas),
        },
    }
    if operation.body is not None:
        content = {
            media_type: {"schema": _schema(operation.body, schemas)}
            for media_type in operation.body_media_types
        }
        described["requestBody"] = {"required": True, "content": content}
    return described


def _parameter(parameter: Parameter) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.description,
        "required": parameter.required or parameter.where == "path",
        "schema": dict(parameter.schema),
    }
    if parameter.example is not None:
        shown["example"] = parameter.example
    return shown


def _reply(reply: Reply, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = _reply_schema(reply, schemas)
    shown: dict[str, Any] = {"description": reply.description}
    if reply.media_types:
        # What is no JSON has no JSON schema: to OpenAPI it is a text.
        shown["content"] = {
            media_type: {"schema": schema if "json" in media_type else {"type": "string"}}
            for media_type in reply.media_types
        }
    if reply.headers:
        shown["headers"] = {name: {"schema": {"type": "string"}} for name in reply.headers}
    return shown


def _reply_schema(reply: Reply, schemas: dict[str, Any]) -> dict[str, Any]:
    if reply.model is not None:
        return _schema(reply.model, schemas, mode="serialization")
    shown = dict(reply.schema or {})
    if "anyOf" in shown:
        shown["anyOf"] = [
            _schema(choice, schemas, mode="serialization") if isinstance(choice, type) else choice
            for choice in shown["anyOf"]
        ]
    return shown


def _schema(model: Any, schemas: dict[str, Any], mode: Any = "validation") -> dict[str, Any]:
    found = TypeAdapter(model).json_schema(ref_template=_REFS, mode=mode)
    schemas.update(found.pop("$defs", {}))
    if isinstance(model, type) and issubclass(model, BaseModel):
        schemas[model.__name__] = found
        return {"$ref": _REFS.format(model=model.__name__)}
    return found


def _faults(dialect: Dialect, operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    """The documented refusals, those of one status together. Other dialects describe theirs as replies."""
    by_status: dict[int, list[str]] = {}
    for fault in operation.faults:
        by_status.setdefault(STATUSES[fault.code], []).append(
            f"`{fault.code}`: {(fault.__doc__ or '').splitlines()[0]}"
        )
    if not by_status or dialect.name != "native":
        return {}
    by_status.setdefault(500, []).append(
        "`unexpected`: Something unexpected happened in the ledger itself."
    )
    problem = _schema(ProblemOut, schemas, mode="serialization")
    return {
        str(status): {
            "description": "\n\n".join(sentences),
            "content": {"application/problem+json": {"schema": problem}},
        }
        for status, sentences in sorted(by_status.items())
    }
