"""OPERATIONS: every operation of every dialect, one row each, and the tables made from it.

Invariants: a path and method stand once; an id stands once within its dialect; paths are Starlette's templates."""

from __future__ import annotations

from api.dialects import DIALECTS
from api.dialects.dialect import Dialect
from api.operation import Operation

OPERATIONS: tuple[tuple[Dialect, Operation], ...] = tuple(
    (dialect, operation) for dialect in DIALECTS for operation in dialect.operations
)


def by_path() -> dict[str, dict[str, tuple[Dialect, Operation]]]:
    """The operations of each path, by method."""
    paths: dict[str, dict[str, tuple[Dialect, Operation]]] = {}
    for dialect, operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = (dialect, operation)
    return paths
