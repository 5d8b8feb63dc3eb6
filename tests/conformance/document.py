"""A dialect's OpenAPI document as a judge of its answers.

Invariants: an answer is judged by its status, its content type, its body's schema, and the headers that go with a status in any dialect; an
answer of no operation (an unknown path, a wrong verb) must look like a refusal that some operation of the dialect documents."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from jsonschema import Draft202012Validator, FormatChecker

from api import openapi
from api.dialects.dialect import Dialect
from api.operation import Operation


class Answer(Protocol):
    """What HTTP's clients call a response."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Any: ...
    @property
    def content(self) -> bytes: ...


@dataclass(frozen=True)
class Plain:
    """An answer that never went over HTTP."""

    status_code: int
    headers: dict[str, str]
    content: bytes


def check(dialect: Dialect, operation: Operation | None, answer: Answer) -> None:
    """Fail unless the answer is one that the document tells."""
    where = f"{dialect.name} {operation.id if operation else ''} {answer.status_code}"
    shown = f"{where}: {answer.content[:800]!r}"
    _check_headers(dialect, answer, shown)
    told = _told(dialect, operation, answer.status_code)
    assert told, f"{where} is not documented: {answer.content[:300]!r}"
    if answer.status_code in (204, 304) or _is_minimal(answer):
        assert not answer.content, shown
        assert "content-type" not in answer.headers, shown
        return
    media_type, _, rest = answer.headers["content-type"].partition(";")
    assert rest.strip().lower() in ("", "charset=utf-8", "version=1.0.0; charset=utf-8"), shown
    contents = [one["content"] for one in told if media_type in one.get("content", {})]
    assert contents, f"{where}: {media_type} is not documented"
    text = answer.content.decode()
    if media_type.endswith("json"):
        parsed = json.loads(text, parse_constant=_no_constant)
        faults = [_fault(dialect, one[media_type]["schema"], parsed) for one in contents]
        assert None in faults, f"{shown}: {faults}"


def statuses(operation: Operation, dialect: Dialect) -> set[int]:
    """What the document says that an operation answers."""
    described = _document(dialect.name)["paths"][operation.path][operation.method.lower()]
    return {int(status) for status in described["responses"]}


def _told(dialect: Dialect, operation: Operation | None, status: int) -> list[dict[str, Any]]:
    paths = _document(dialect.name)["paths"]
    if operation is not None:
        described = paths[operation.path][operation.method.lower()]["responses"]
        return [described[str(status)]] if str(status) in described else []
    # No operation: it looks like a refusal of one.
    return [
        reply
        for methods in paths.values()
        for one in methods.values()
        for told, reply in one["responses"].items()
        if int(told) >= 400
    ]


def _check_headers(dialect: Dialect, answer: Answer, shown: str) -> None:
    headers, status = answer.headers, answer.status_code
    if status == 401 and dialect.challenge is not None:
        assert re.match(r"[A-Z]\w+ realm=", headers.get("www-authenticate", "")), shown
    if status == 405 and "illegal" not in shown:
        assert headers.get("allow") or b"state" in answer.content, shown
    if status in (429, 503):
        assert re.fullmatch(r"[1-9][0-9]*", headers.get("retry-after", "")), shown
    if status < 400 and status not in (204, 304) and not _is_minimal(answer):
        assert answer.content, shown


def _is_minimal(answer: Answer) -> bool:
    """Whether a new job is told without a body, as its client preferred."""
    applied = answer.headers.get("preference-applied", "")
    return answer.status_code == 201 and "return=minimal" in applied and not answer.content


def _fault(dialect: Dialect, schema: dict[str, Any], parsed: Any) -> str | None:
    validator = _validator(dialect.name, json.dumps(schema, sort_keys=True))
    return next((one.message[:300] for one in validator.iter_errors(parsed)), None)


@cache
def _validator(name: str, schema: str) -> Draft202012Validator:
    whole = {**json.loads(schema), "components": _document(name)["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())


@cache
def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(openapi.text(name))
    return document


def _no_constant(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")
