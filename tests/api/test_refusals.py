"""Refusals: every refused authentication and authorisation, of every operation of every dialect, is logged with its request id, and is answered
in the dialect's words with the challenge that its document asks for; and no secret is in anything that the server emits.

Invariants: operations come from OPERATIONS, so a new one is tried too. Seen red with: a scope that is refused in silence."""

from __future__ import annotations

import io
import secrets
import traceback
from typing import Any

import httpx2 as httpx

from api.dialects import DIALECTS
from api.dialects.dialect import Dialect
from api.operation import IMPLIED, Operation, Scope
from api.operations import OPERATIONS
from tests.fix_lines import refused
from tests.fix_server import LiveServer

GUARDED = [(d, o) for d, o in OPERATIONS if o.scope is not Scope.PUBLIC]
# Their documents know no challenge: a bad signature is 403 there, and a wrong role 401.
SILENT = {"gogrid"}


def refusals(lines: io.StringIO, request_id: str) -> list[dict[str, Any]]:
    return [one for one in refused(lines) if one.get("request_id") == request_id]


def path_of(operation: Operation, project: str) -> str:
    path = operation.path
    for name in ("project", "projectId"):
        path = path.replace(f"{{{name}}}", project)
    return (
        path.replace("{id}", "7")
        .replace("{jobId}", "7")
        .replace("{job_id}", "7")
        .replace("{key_id}", "7")
    )


def ask(
    client: httpx.Client, operation: Operation, request_id: str, project: str, **words: Any
) -> httpx.Response:
    headers = {"X-Request-Id": request_id, "X-Version": "1.0"}
    body: dict[str, Any] = (
        {"json": {}} if operation.body is not None and operation.method != "GET" else {}
    )
    return client.request(
        operation.method, path_of(operation, project), headers=headers, **{**body, **words}
    )


def test_every_operation_says_which_scope_it_needs() -> None:
    for dialect, operation in OPERATIONS:
        assert isinstance(operation.scope, Scope), f"{dialect.name} {operation.id}"
        writes = operation.method not in ("GET", "HEAD") and dialect.name != "gogrid"
        assert not (writes and operation.scope in (Scope.PUBLIC, Scope.JOBS_READ)), operation.id


def test_nothing_is_allowed_that_no_scope_says(shared_server: LiveServer) -> None:
    granted = {scope: {scope} | IMPLIED.get(scope, frozenset()) for scope in Scope}
    assert granted[Scope.JOBS_READ] == {Scope.JOBS_READ}
    assert granted[Scope.KEYS_MANAGE] == {Scope.KEYS_MANAGE}


def test_every_refusal_is_logged_with_its_request_id(
    shared_server: LiveServer, lines: io.StringIO
) -> None:
    """Each operation without a credential, with a made-up one, with one of another project, and with one that lacks the scope."""
    managing = shared_server.client_of("powerless", [Scope.KEYS_MANAGE])
    reading = shared_server.client_of("powerless", [Scope.JOBS_READ])
    made_up = shared_server.opened(
        headers={"Authorization": f"Bearer jl_{'0' * 16}_{'A' * 43}_aaaaaa"}
    )
    nobody = shared_server.opened()
    tried = logged = 0
    for dialect, operation in GUARDED:
        powerless = reading if operation.scope is Scope.KEYS_MANAGE else managing
        callers = {"nobody": nobody, "made up": made_up, "powerless": powerless}
        if "{project" in operation.path:
            callers["stranger"] = shared_server.client_of("stranger", [Scope.ADMIN])
        for who, client in callers.items():
            if who == "powerless" and dialect.name == "gogrid":
                continue  # its callers sign, see below
            request_id = f"refused-{secrets.token_hex(6)}"
            answer = ask(client, operation, request_id, "powerless")
            assert 400 <= answer.status_code < 500, (who, operation.id, answer.text)
            tried += 1
            found = refusals(lines, request_id)
            assert found, f"{who} at {dialect.name} {operation.id} was refused and not logged"
            assert len(found) == 1
            assert found[0]["reason"]
            logged += 1
            if who in ("nobody", "made up"):
                _challenged(dialect, answer)
    assert tried == logged
    assert tried > 2 * len(GUARDED)


def _challenged(dialect: Dialect, answer: httpx.Response) -> None:
    if dialect.name in SILENT:
        assert answer.status_code == 403
        return
    assert answer.status_code == 401, (dialect.name, answer.text)
    assert answer.headers["www-authenticate"] == dialect.challenge
    assert answer.headers["date"]


def test_every_dialect_but_one_challenges() -> None:
    assert {d.name for d in DIALECTS if d.challenge is None} == SILENT


def test_no_secret_is_in_anything_that_the_server_emits(
    shared_server: LiveServer, lines: io.StringIO
) -> None:
    """Good and bad credentials in each way they can be sent; then answers, log lines, reprs and tracebacks are searched for them."""
    good = shared_server.issue("canaries", [Scope.JOBS_READ, Scope.JOBS_WRITE])
    signing = shared_server.issue("canaries", [Scope.JOBS_READ], signing=True)
    assert signing.shared_secret is not None
    bad = good.key[:-3] + "zzz"
    hidden = [good.key, bad, signing.key, signing.shared_secret]
    hidden += [key.split("_")[2] for key in (good.key, signing.key)]
    hidden += [shared_server.secret.hash(good.key).hex()]
    answers: list[httpx.Response] = []
    for key in (good.key, bad, signing.shared_secret):
        for headers in (
            {"Authorization": f"Bearer {key}"},
            {"Authorization": f"Token token={key},email=a@b.c"},
            {"Authorization": f"Basic {key}"},
            {"X-API-Key": key},
        ):
            client = shared_server.opened(headers=headers)
            paths = (
                "/v1/projects/canaries/jobs",
                "/api/v2/jobs",
                "/jobs",
                "/projects/canaries/jobs",
                "/v2/events/batch/x",
            )
            answers.extend(client.get(path) for path in paths)
        named = (
            f"/v1/projects/{key}/jobs",
            f"/api/grid/job/list?api_key={key}&sig={key}&v=1.0",
        )
        answers.extend(shared_server.opened().get(path) for path in named)
    answers += [
        shared_server.opened().get(path) for path in ("/metrics", "/openapi.json", "/readyz")
    ]
    emitted = lines.getvalue() + repr(good) + repr(signing) + repr(shared_server.secret)
    emitted += "".join(traceback.format_exception(ValueError(good, shared_server.secret)))
    for answer in answers:
        # What was asked for in an address comes back in the address of a problem; what was sent as a credential never does.
        echoed = str(answer.request.url)
        text = answer.text + str(answer.headers)
        emitted += text if not any(word in echoed for word in hidden) else ""
    for word in hidden:
        assert word not in emitted
