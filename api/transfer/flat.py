"""Events and jobs as rows of a CSV, and back.

Invariants: the columns are the names of the native JSON, in its order, with a dot where one object holds another; what has no fixed shape stands as
JSON in its cell. An empty cell is no value, so an empty text comes back as none; nothing else is lost. Errors: Bad."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pydantic_core

from api.transfer.lines import Bad

EVENT_COLUMNS = (
    *(
        "position",
        "id",
        "job",
        "version",
        "project",
        "event",
        "occurred_at",
        "recorded_at",
        "actor",
    ),
    *("credential_id", "request_id", "note", "source_id", "imported", "fields"),
)
JOB_COLUMNS = (
    *("id", "number", "project", "type", "command", "object", "owner", "request_id", "source_id"),
    *("description", "detail", "state", "failure.kind", "failure.final", "attempts", "progress"),
    *("error_count", "messages", "items.total", "items.succeeded", "items.failed", "created_at"),
    *("updated_at", "started_at", "ended_at", "ended_by", "version", "position", "history"),
)
# What has no fixed shape, or several of something.
JSON_COLUMNS = frozenset({"fields", "detail", "messages", "history"})


def cells(columns: tuple[str, ...], said: Mapping[str, Any]) -> list[str]:
    """An event or a job, as the API shows it, as one row."""
    return [_cell(column, _at(said, column)) for column in columns]


def _at(said: Mapping[str, Any], column: str) -> Any:
    name, _, inner = column.partition(".")
    value = said[name]
    return value if not inner or value is None else value[inner]


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and column not in JSON_COLUMNS:
        return value
    text = pydantic_core.to_json(value).decode()
    # Times and ids are texts in JSON, where they have quotes.
    return text if column in JSON_COLUMNS else text.removeprefix('"').removesuffix('"')


def objects(row: dict[str, str]) -> dict[str, Any] | Bad:
    """A row of either kind as the object it was made from. Other columns stay as they are, as text."""
    said: dict[str, Any] = {}
    for column, text in row.items():
        try:
            value = _READ.get(column, str)(text)
        except (ValueError, KeyError):
            return Bad(f"Column {column!r}: {text[:60]!r} is not what export writes.")
        name, _, inner = column.partition(".")
        if inner and column in JOB_COLUMNS:
            said.setdefault(name, {})[inner] = value
        else:
            said[column] = value
    return said


def _json(text: str) -> Any:
    return pydantic_core.from_json(text.encode("utf-8", "surrogatepass"), allow_inf_nan=False)


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _name(text: str) -> str | int:
    return int(text) if text.isascii() and text.isdecimal() else text


# How cells are read that are no text.
_READ: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        **dict.fromkeys(JSON_COLUMNS, _json),
        **dict.fromkeys(("position", "version", "number", "attempts", "error_count"), int),
        **dict.fromkeys(("items.total", "items.succeeded", "items.failed"), int),
        **dict.fromkeys(("imported", "failure.final"), _truth),
        "progress": float,
        "job": _name,
    }
)
