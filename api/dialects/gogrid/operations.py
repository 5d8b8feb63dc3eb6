"""GoGrid's operations: each at its product's path, as GET with a query and as POST with a form.

Invariants: parameters are those of the form models, so that both verbs are described by one list; every refusal is described as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from api.dialects.gogrid import as_csv, as_json, as_xml, ask, tell
from api.dialects.gogrid.models import (
    FailureOut,
    GetForm,
    JobsOut,
    ListForm,
    LookupForm,
    OptionsOut,
    PastForm,
)
from api.dialects.gogrid.words import FORM, offered
from api.faults import Behind, Broken, Forbidden, TooLarge, Unauthenticated
from api.operation import Asked, Operation, Parameter, Question, Reply, Said, Scope
from ledger.errors import Busy, Invalid, UnknownJob

_MEDIA_TYPES: Final = tuple(one.MEDIA_TYPE.partition(";")[0] for one in (as_json, as_xml, as_csv))


@dataclass(frozen=True, slots=True)
class _Method:
    """One of GoGrid's methods, whichever the verb."""

    id: str
    path: str
    summary: str
    ask: Callable[[Asked], Question]
    tell: Callable[[Asked, Any], Said]
    form: type[BaseModel]
    answer: type[BaseModel]
    headers: tuple[str, ...] = ()


_METHODS: Final = (
    _Method("JobGet", "/api/grid/job/get", "Jobs by id or by the name of their object.", ask.job_get, tell.job_get, GetForm, JobsOut),
    _Method("JobList", "/api/grid/job/list", "Jobs, newest first, page by page.", ask.job_list, tell.job_list, ListForm, JobsOut,
            ("Ledger-Position",)),
    _Method("LookupList", "/api/common/lookup/list", "A table of options: ids, names and descriptions.", ask.lookup_list,
            tell.lookup_list, LookupForm, OptionsOut),
)  # fmt: skip

_REFUSALS: Final = (
    (400, "IllegalArgumentException: a parameter is missing or wrong, or no job was found."),
    (401, "Unauthorized: the role of the API key does not allow this."),
    (403, "Authentication Failed: the request is not properly signed."),
    (413, "IllegalArgumentException: the request is larger than the ledger reads."),
    (500, "UnexpectedError: something went wrong in the ledger itself."),
    (503, "UnexpectedError: too much is going on; ask again as Retry-After says."),
)
_FAULTS: Final = (Invalid, UnknownJob, Forbidden, Unauthenticated, TooLarge, Broken, Busy, Behind)


def _operation(verb: str, method: _Method) -> Operation:
    posted = verb == "POST"
    answer = Reply(
        200, method.summary, method.answer, media_types=_MEDIA_TYPES, headers=method.headers
    )
    refusals = (
        Reply(
            status,
            sentence,
            FailureOut,
            media_types=_MEDIA_TYPES,
            headers=("Retry-After",) if status == 503 else (),
        )
        for status, sentence in _REFUSALS
    )
    return Operation(
        id=f"{verb.lower()}{method.id}",
        method=verb,
        path=method.path,
        summary=method.summary,
        scope=Scope.JOBS_READ,
        ask=method.ask,
        tell=method.tell,
        replies=(answer, *refusals),
        parameters=() if posted else _parameters(method.form),
        body=method.form if posted else None,
        body_media_types=(FORM,),
        faults=_FAULTS,
        past=_words if issubclass(method.form, PastForm) else None,
        description=f"{method.summary} {method.form.__doc__} A POST may give parameters in its query as well as in its form.",
    )


def _words(asked: Asked) -> tuple[tuple[str, str], ...]:
    """Those of the form count as those of the query; one without a value is absent."""
    return tuple(pair for pair in offered(asked).pairs if pair[1])


def _parameters(form: type[BaseModel]) -> tuple[Parameter, ...]:
    described = form.model_json_schema()
    required = described.get("required", ())
    return tuple(
        Parameter(
            name=name,
            where="query",
            description=schema.get("description", ""),
            schema={
                key: word for key, word in schema.items() if key not in ("title", "description")
            },
            required=name in required,
        )
        for name, schema in described["properties"].items()
    )


OPERATIONS: tuple[Operation, ...] = tuple(
    _operation(verb, method) for method in _METHODS for verb in ("GET", "POST")
)
