"""The native operations about the ledger itself: alive, ready, figures, versions, descriptions. They need no credential."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.faults import NoSuchPath
from api.operation import Asked, Operation, Parameter, Question, Reply, Said, Scope, Shown


def _shown(page: Any) -> Callable[[Asked], Question]:
    return lambda asked: Shown(page, asked.path_params.get("dialect", "native"))


def _as_is(asked: Asked, said: Said) -> Said:
    return said


_DIALECT = Parameter("dialect", "path", "A row of DIALECTS.", required=True, example="gogrid")

ABOUT: tuple[Operation, ...] = (
    Operation(
        "livez",
        "GET",
        "/livez",
        "Is the process alive?",
        Scope.PUBLIC,
        _shown("live"),
        _as_is,
        (Reply(200, "It is.", schema={"type": "object"}),),
    ),
    Operation(
        "readyz",
        "GET",
        "/readyz",
        "Can it serve? Database, migrations and how far the read models are.",
        Scope.PUBLIC,
        _shown("ready"),
        _as_is,
        (
            Reply(200, "It can.", schema={"type": "object"}),
            Reply(503, "Not now.", schema={"type": "object"}),
        ),
    ),
    Operation(
        "metrics",
        "GET",
        "/metrics",
        "Figures for Prometheus.",
        Scope.PUBLIC,
        _shown("metrics"),
        _as_is,
        (Reply(200, "The figures.", schema={"type": "string"}, media_types=("text/plain",)),),
    ),
    Operation(
        "version",
        "GET",
        "/version",
        "Which ledger this is.",
        Scope.PUBLIC,
        _shown("version"),
        _as_is,
        (Reply(200, "The versions.", schema={"type": "object"}),),
    ),
    Operation(
        "openapi",
        "GET",
        "/openapi.json",
        "This description, as OpenAPI 3.1.",
        Scope.PUBLIC,
        _shown("openapi"),
        _as_is,
        (Reply(200, "The document.", schema={"type": "object"}),),
    ),
    Operation(
        "dialectOpenapi",
        "GET",
        "/openapi/{dialect}.json",
        "The description of one dialect, as OpenAPI 3.1.",
        Scope.PUBLIC,
        _shown("openapi"),
        _as_is,
        (Reply(200, "The document.", schema={"type": "object"}),),
        parameters=(_DIALECT,),
        faults=(NoSuchPath,),
    ),
    Operation(
        "dialectDocs",
        "GET",
        "/docs/{dialect}",
        "The description of one dialect, for people.",
        Scope.PUBLIC,
        _shown("docs"),
        _as_is,
        (Reply(200, "The page.", schema={"type": "string"}, media_types=("text/html",)),),
        parameters=(_DIALECT,),
        faults=(NoSuchPath,),
    ),
    Operation(
        "docs",
        "GET",
        "/docs",
        "This description, for people.",
        Scope.PUBLIC,
        _shown("docs"),
        _as_is,
        (
            Reply(
                200,
                "A page that needs nothing from outside.",
                schema={"type": "string"},
                media_types=("text/html",),
            ),
        ),
    ),
)
