"""Outlines: JSON and XML broken into lines that one can read.

Invariants: pure; only white space between tokens is added, so that an outline parses to what the document parses to. Units: characters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# Where GoGrid's XML, which has no white space, may be broken: around lists and their objects, and before a job's own attributes.
_SEAM = re.compile(
    r'(?=<summary|<list>|</list>|</response>|<object name="job(?:_history)?">|<attribute name="'
    r'(?:owner|createdon|lastupdatedon|attempts|history|currentstate|command|objecttype|detail)">)'
)


def json_lines(
    value: Any, width: int, indent: str = "", lead: str = "", tail: str = ""
) -> Iterator[str]:
    """A value on one line where it fits; else its elements, as many on a line as fit."""
    line = f"{indent}{lead}{json.dumps(value, ensure_ascii=False)}{tail}"
    if len(line) <= width or not value or not isinstance(value, dict | list):
        yield line
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield f"{indent}{lead}{opening}"
    inner = indent + "  "
    waiting = ""
    for name, part, comma in _members(value):
        lines = list(json_lines(part, width, inner, name, comma))
        if waiting and len(lines) == 1 and len(waiting) + len(lines[0]) - len(indent) <= width:
            waiting += f" {lines[0].lstrip()}"
            continue
        yield from [waiting] if waiting else []
        waiting = lines.pop() if len(lines) == 1 else ""
        yield from lines
    yield from [waiting] if waiting else []
    yield f"{indent}{closing}{tail}"


def _members(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any, str]]:
    """Each element with its name and what comes before and after it."""
    named = value.items() if isinstance(value, dict) else (("", part) for part in value)
    for place, (name, part) in enumerate(named, start=1):
        lead = f"{json.dumps(name)}: " if isinstance(value, dict) else ""
        yield lead, part, "," if place < len(value) else ""


def xml_lines(document: str) -> list[str]:
    """GoGrid's XML with line ends at its seams."""
    return [line for line in _SEAM.split(document) if line]
