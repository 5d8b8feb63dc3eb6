"""The OpenAPI documents and the pages: valid, complete, and in need of nothing from outside."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api import docs, openapi
from api.dialects import DIALECTS
from api.operation import Scope
from api.operations import OPERATIONS, by_path

NAMES = [dialect.name for dialect in DIALECTS]


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_valid_and_complete(name: str) -> None:
    document: dict[str, Any] = json.loads(openapi.text(name))
    OpenAPIV31SpecValidator(document).validate()
    dialect = next(one for one in DIALECTS if one.name == name)
    described = {
        (method.upper(), path, operation["operationId"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert described == {(one.method, one.path, one.id) for one in dialect.operations}


@pytest.mark.parametrize(
    ("dialect", "operation"), OPERATIONS, ids=lambda one: getattr(one, "id", "")
)
def test_an_operation_is_whole(dialect: Any, operation: Any) -> None:
    assert operation.scope in Scope
    assert operation.summary.endswith((".", "?"))
    named = set(re.findall(r"\{(\w+)\}", operation.path))
    assert named == {one.name for one in operation.parameters if one.where == "path"}
    assert operation.replies
    if operation.scope is Scope.PUBLIC:
        assert operation.method == "GET", "nobody may write without a credential"


def test_a_path_and_method_stand_once() -> None:
    assert len(OPERATIONS) == sum(len(methods) for methods in by_path().values())
    for dialect in DIALECTS:
        ids = [operation.id for operation in dialect.operations]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_needs_nothing_from_outside(name: str) -> None:
    page = docs.text(name).decode()
    assert not re.findall(r"(?:src|href)=['\"]?(?:https?:)?//", page)
    assert "<script" not in page
    for operation in next(one for one in DIALECTS if one.name == name).operations:
        assert f"id='{operation.id}'" in page
