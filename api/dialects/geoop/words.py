"""Words of a GeoOp request: its verb and version, and the items of its body.

Invariants: pure; `method` and `version` never refuse. What is read of a body is the same whether it is asked or said back. Errors: BadSyntax
for a body that is none, UnknownJob for a path that can name no job."""

from __future__ import annotations

import re
from typing import Any, Final

import pydantic_core

from api.faults import BadSyntax
from api.operation import Asked
from ledger.errors import UnknownJob
from ledger.settings import BATCH_COMMANDS_MAX, COUNT_MAX

COLLECTION: Final = "jobs"

_VERB = re.compile(r"[A-Z]{1,20}")
_VERSION = re.compile(r"1(?:\.[0-9]{1,3})?")
_NUMBER = re.compile(r"[0-9]{1,16}")


def method(asked: Asked) -> str:
    """The verb that a request means: X-Method where it is given, whichever the verb it came with."""
    verb = asked.headers.get("x-method", "").strip().upper()
    return verb if _VERB.fullmatch(verb) else asked.method


def version(asked: Asked) -> str | None:
    """The version of the API that a request names, if there is such a one."""
    word = asked.headers.get("x-version", "").strip()
    return word if _VERSION.fullmatch(word) else None


def check_version(asked: Asked) -> None:
    """Refuse a version that there is not; none at all is taken for the latest."""
    if "x-version" in asked.headers and version(asked) is None:
        raise BadSyntax(
            "X-Version is invalid or outdated: this is version 1 of the API, such as 1.3."
        )


def number(asked: Asked) -> int | None:
    """The job that the path names, or None for the collection."""
    word = asked.path_params.get("id")
    if word is None:
        return None
    if not _NUMBER.fullmatch(word) or not 0 < int(word) <= COUNT_MAX:
        raise UnknownJob("There is no such job.")
    return int(word)


def items(asked: Asked) -> tuple[Any, ...]:
    """The items of a request's body, as they are: those of {"jobs": [...]}, or one by itself. An item of a path has the path's id."""
    named = number(asked)
    if named is not None and asked.method == "DELETE" and not asked.body.strip():
        return ({"id": named},)
    found = _items(_json(asked.body))
    if named is None:
        return found
    if len(found) != 1:
        raise BadSyntax("The path names one job, so the body holds one.")
    [one] = found
    return ({"id": named, **one},) if isinstance(one, dict) else found


def _json(body: bytes) -> Any:
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BadSyntax(f"The body is not JSON: {error}.") from error


def _items(parsed: Any) -> tuple[Any, ...]:
    if not isinstance(parsed, dict):
        raise BadSyntax('The body is an item, or {"jobs": [...]}.')
    if COLLECTION not in parsed:
        return (parsed,)
    found = parsed[COLLECTION]
    if len(parsed) > 1 or not isinstance(found, list):
        raise BadSyntax('The collection is {"jobs": [...]} and nothing else.')
    if not 0 < len(found) <= BATCH_COMMANDS_MAX:
        raise BadSyntax(f"A collection holds 1 to {BATCH_COMMANDS_MAX} items.")
    return tuple(found)
