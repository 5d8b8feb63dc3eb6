"""A campaign: requests made up from one dialect's OpenAPI document, sent to a running ledger, each answer held to the document.

Invariants: a seed makes a campaign repeatable up to what the ledger itself makes up; an answer is at fault when it is a 5xx, or has a status, a
content type, headers or a body that the document does not tell. Every request carries a good credential; most are about jobs that exist, and
half of those that may prefer something do."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from schemathesis import hooks
from schemathesis.config import HealthCheck
from schemathesis.engine import from_schema
from schemathesis.engine.events import EngineEvent, NonFatalError, ScenarioFinished

from api import openapi
from api.dialects.dialect import Dialect
from api.operation import Operation
from scripts.fuzzing.target import Target, presented

CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# Examples and edges of the document, requests drawn at random, and sequences of requests in which one's answer is the next one's subject.
PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")
_PROJECTS: Final = frozenset({"project", "projectId"})
_JOBS: Final = frozenset({"id", "jobId", "job_id"})
_PREFERRED: Final = ("respond-async", "return=minimal", "respond-async, return=minimal")
# What is asked of a body. Where a document tells one, it can only say in words that an answer may be without.
_OF_BODIES: Final = frozenset({"content_type_conformance", "response_schema_conformance"})


@dataclass
class Found:
    """What came of a campaign: how many requests, their statuses, and the faults: a sentence each with the request that shows it."""

    dialect: str
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found, and requests were sent at all."""
        return bool(self.requests) and not self.faults and not self.errors


def campaign(
    dialect: Dialect, target: Target, *, examples: int, seed: int, phases: Sequence[str] = PHASES
) -> Found:
    """Make up to so many requests of each operation, and in the other phases as many as the document suggests."""
    schema = schemathesis.openapi.from_dict(
        openapi.document(dialect), config=schemathesis.Config(seed=seed)
    )
    config = schema.config
    config.update(
        base_url=target.url,
        continue_on_failure=True,
        request_timeout=60,
        suppress_health_check=[HealthCheck.all],
    )
    config.phases.update(phases=list(phases))
    config.generation.update(max_examples=examples, no_shrink=True, database="none")
    config.checks.update(included_check_names=list(CHECKS))
    chance = random.Random(seed)

    @schemathesis.hook
    def before_call(context: Any, case: Any, kwargs: Mapping[str, Any]) -> None:
        given = presented(dialect, target.keys)
        case.headers.update(given.headers)
        case.query = {**(case.query or {}), **given.query} or None
        operation = _operation(dialect, case)
        if any(one.name == "Prefer" for one in operation.parameters) and chance.random() < 0.5:
            case.headers["Prefer"] = chance.choice(_PREFERRED)
        for name in case.path_parameters or {}:
            if name in _PROJECTS and chance.random() < 0.9:
                case.path_parameters[name] = target.keys.project
            if name in _JOBS and chance.random() < 0.6:
                case.path_parameters[name] = chance.choice(_jobs_of(operation, target))

    found = Found(dialect.name)
    try:
        for event in from_schema(schema).execute():
            _take(found, event)
    finally:
        hooks.unregister(before_call)
    return found


def _operation(dialect: Dialect, case: Any) -> Operation:
    """What a case was made for, whatever method it tries."""
    made_for = (case.operation.path, case.operation.method.upper())
    return next(one for one in dialect.operations if (one.path, one.method) == made_for)


def _jobs_of(operation: Operation, target: Target) -> tuple[str, ...]:
    named = next(one for one in operation.parameters if one.where == "path" and one.name in _JOBS)
    return target.numbers if named.schema.get("type") == "integer" else target.ids


def _is_minimal(response: Any) -> bool:
    """Whether a new job is told without a body, as its client preferred."""
    if response is None or response.status_code != 201 or response.content:
        return False
    return "return=minimal" in ", ".join(response.headers.get("preference-applied", ()))


def _take(found: Found, event: EngineEvent) -> None:
    if isinstance(event, NonFatalError):
        found.errors.append(f"{event.label}: {event.info}")
    if not isinstance(event, ScenarioFinished):
        return
    recorder = event.recorder
    for sent in recorder.interactions.values():
        found.requests += 1
        if sent.response is not None:
            found.statuses[sent.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        interaction = recorder.interactions.get(case_id)
        is_empty = interaction is not None and _is_minimal(interaction.response)
        for check in checks:
            if check.failure_info is not None and not (is_empty and check.name in _OF_BODIES):
                fault = check.failure_info.failure
                sentence = f"{recorder.label}: {fault.title}: {fault.message}"
                found.faults.setdefault(sentence[:600], check.failure_info.code_sample[:1_500])
