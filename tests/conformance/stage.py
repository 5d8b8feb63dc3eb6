"""The stage: a running ledger, a population in one project of it, and a way to ask any operation of any dialect there.

Invariants: every answer is held to the dialect's document before a test sees it; credentials are presented as that document says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2 as httpx

from api.dialects.dialect import Dialect
from api.dialects.gogrid.words import FORM
from api.operation import Operation, Scope
from scripts.fuzzing.target import Keyring, presented
from tests.conformance import document
from tests.conformance.population import Made, populate
from tests.fix_server import LiveServer

Words = Sequence[tuple[str, str]]
Bodies = dict[str, Any] | list[Any] | bytes | None
_TENANTS = ("project", "projectId")


@dataclass(frozen=True)
class Stage:
    """A project with its population, as seen with one set of scopes."""

    server: LiveServer
    project: str
    made: tuple[Made, ...]
    keys: Keyring
    client: httpx.Client

    @property
    def busiest(self) -> Made:
        """The job with the longest history."""
        return max(self.made, key=lambda one: len(one.life.events))

    def ask(
        self,
        dialect: Dialect,
        operation: Operation,
        words: Iterable[tuple[str, str]] = (),
        *,
        body: Bodies = None,
        headers: Mapping[str, str] | None = None,
        job: Made | str | None = None,
        path: str | None = None,
        credential: bool = True,
        judged: bool = True,
    ) -> httpx.Response:
        """Ask an operation: words in the query, or in the form of an operation that takes one."""
        given = presented(dialect, self.keys)
        query = [*(given.query.items() if credential else ()), *words]
        sent: dict[str, Any] = {"params": query}
        if FORM in operation.body_media_types and operation.body is not None:
            sent = {"data": _form(query)}
        if body is not None:
            sent |= {"content": body} if isinstance(body, bytes) else {"json": body}
        answer = self.client.request(
            operation.method,
            path or self.path(operation, job or self.busiest),
            headers={**(given.headers if credential else {}), **(headers or {})},
            **sent,
        )
        if judged:
            document.check(dialect, operation, answer)
        return answer

    def path(self, operation: Operation, job: Made | str | None = None, **named: str) -> str:
        """The path of an operation, about a job."""
        path = operation.path
        for parameter in operation.parameters:
            if parameter.where == "path":
                word = named.get(parameter.name) or self._named(parameter, job)
                path = path.replace("{" + parameter.name + "}", quote(word, safe=""))
        return path

    def _named(self, parameter: Any, job: Made | str | None) -> str:
        if parameter.name in _TENANTS:
            return self.project
        if parameter.name == "dialect":
            return "gogrid"
        assert job is not None, parameter.name
        if isinstance(job, str):
            return job
        return job.number if parameter.schema.get("type") == "integer" else job.id


def _form(words: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    form: dict[str, list[str]] = {}
    for name, word in words:
        form.setdefault(name, []).append(word)
    return form


ALL = (Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.AUDIT_READ, Scope.KEYS_MANAGE)


def staged(
    server: LiveServer, project: str, scopes: Sequence[Scope] = ALL, made: tuple[Made, ...] = ()
) -> Stage:
    """A project and who asks there; without `made`, with a population of its own."""
    key, _ = server.make_key(project, scopes)
    api_key, secret = server.make_key(project, scopes, signing=True)
    made = made or populate(server.client_of(project), project)
    return Stage(server, project, made, Keyring(project, key, api_key, secret), server.opened())
