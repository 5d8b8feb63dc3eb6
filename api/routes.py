"""Routes: which of the paths of OPERATIONS a request's path is.

Invariants: templates are Starlette's, with parameters that hold no slash; a path is held against those alone that have its first word and its
number of slashes; of two templates that fit, the first wins. Errors: ValueError for a template that begins with a parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

from starlette.routing import compile_path

To = TypeVar("To")
_NO_PARAMETERS: dict[str, str] = {}


class Routes(Generic[To]):
    """Where each template leads."""

    def __init__(self, leading: Mapping[str, To]) -> None:
        self._plain = {path: to for path, to in leading.items() if "{" not in path}
        self._shaped: dict[str, dict[int, list[tuple[re.Pattern[str], To]]]] = {}
        for path, to in leading.items():
            if path not in self._plain:
                first = _first(path)
                if "{" in first:
                    raise ValueError(f"The path {path} must begin with a word of its own.")
                pattern, _, _ = compile_path(path)
                shaped = self._shaped.setdefault(first, {})
                shaped.setdefault(path.count("/"), []).append((pattern, to))

    def find(self, path: str) -> tuple[To, dict[str, str]] | None:
        """Where a path leads, and its parameters; None when nowhere."""
        if (to := self._plain.get(path)) is not None:
            return to, _NO_PARAMETERS
        shaped = self._shaped.get(_first(path))
        if shaped is None:
            return None
        for pattern, to in shaped.get(path.count("/"), ()):
            if (match := pattern.match(path)) is not None:
                return to, match.groupdict()
        return None


def _first(path: str) -> str:
    return path[1:].partition("/")[0]
