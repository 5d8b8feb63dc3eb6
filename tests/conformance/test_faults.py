"""Every mistake that a caller can make, and everything that can go wrong on our side, told by every dialect in its own words: the status of its
document, its content type, its headers, its schema.

Seen red: a crash in the reading of Orange's `offset`, a refusal of GeoOp without its schema's `type`, a 503 without Retry-After."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from api import edge, faults
from api.dialects import DIALECTS
from api.dialects.dialect import Dialect
from api.maintenance import Switch
from api.operation import Asked, Operation, Principal, Scope
from api.operations import OPERATIONS
from api.teller import Teller
from ledger import errors
from ledger.errors import LedgerError
from tests.conformance import document
from tests.conformance.speakers import SPEAKERS, Refusals
from tests.conformance.stage import Stage, staged

CLOSED = [(dialect, one) for dialect, one in OPERATIONS if one.scope is not Scope.PUBLIC]
NOWHERE = UUID("01890000-0000-7000-8000-00000000dead")


def each(operations: list[tuple[Dialect, Operation]]) -> pytest.MarkDecorator:
    ids = [f"{dialect.name}-{operation.id}" for dialect, operation in operations]
    return pytest.mark.parametrize(("dialect", "operation"), operations, ids=ids)


every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)


def refusals(dialect: Dialect) -> Refusals:
    return SPEAKERS[dialect.name].refusals


@pytest.fixture(scope="module")
def keeper(stage: Stage) -> Stage:
    """The same project, seen with a key that may neither read nor write jobs."""
    return staged(stage.server, stage.project, [Scope.KEYS_MANAGE], stage.made)


@pytest.fixture(scope="module")
def worker(stage: Stage) -> Stage:
    """The same project, seen with a key that may not manage keys."""
    return staged(stage.server, stage.project, [Scope.JOBS_READ, Scope.JOBS_WRITE], stage.made)


@each(CLOSED)
def test_who_is_not_let_in_is_told_so(
    stage: Stage, keeper: Stage, worker: Stage, dialect: Dialect, operation: Operation
) -> None:
    always = SPEAKERS[dialect.name].always
    nobody = stage.ask(dialect, operation, always, credential=False)
    assert nobody.status_code == refusals(dialect).credential
    wrong = {"Authorization": "Bearer jl_0_0_0", "X-API-Key": "jl_0_0_0"}
    invalid = stage.ask(dialect, operation, always, credential=False, headers=wrong)
    assert invalid.status_code == refusals(dialect).credential
    lacking = worker if operation.scope is Scope.KEYS_MANAGE else keeper
    assert lacking.ask(dialect, operation, always).status_code == refusals(dialect).scope


@every_dialect
def test_a_path_that_is_not_served_is_refused_in_the_dialects_words(
    stage: Stage, dialect: Dialect
) -> None:
    for prefix in dialect.prefixes:
        for rest in ("nothing", "nothing/here", "%00", "%ff", "a" * 3_000, "..%2f..", "%E2%80%AE"):
            answer = stage.client.get(f"{prefix.rstrip('/')}/{rest}/x")
            assert answer.status_code == refusals(dialect).path, (prefix, rest)
            document.check(dialect, None, answer)


@each(CLOSED)
def test_a_verb_that_a_path_does_not_take(
    stage: Stage, dialect: Dialect, operation: Operation
) -> None:
    taken = {one.method for one in dialect.operations if one.path == operation.path}
    for verb in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - taken:
        answer = stage.client.request(verb, stage.path(operation, stage.busiest))
        assert answer.status_code == refusals(dialect).verb, verb
        document.check(dialect, None, answer)


@each([(d, o) for d, o in CLOSED if o.method == "GET"])
def test_a_head_is_a_get_without_its_body(
    stage: Stage, dialect: Dialect, operation: Operation
) -> None:
    speaker = SPEAKERS[dialect.name]
    told = speaker.lists.get(operation.id)
    words = (*speaker.always, *(told.words if told else ()))
    whole = stage.ask(dialect, operation, words)
    query = whole.request.url.query
    path = whole.request.url.path
    head = stage.client.head(f"{path}?{query.decode()}", headers=dict(whole.request.headers))
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]


NAMED = [
    (dialect, operation)
    for dialect, operation in CLOSED
    if any(
        one.where == "path" and one.name not in ("project", "projectId")
        for one in operation.parameters
    )
    and operation.method == "GET"
]


@each(NAMED)
def test_a_job_that_is_not_there_or_not_ones_own(
    stage: Stage, dialect: Dialect, operation: Operation
) -> None:
    """Another tenant's job is answered as one that never was, word for word but for its name."""
    other = staged(stage.server, f"other {dialect.name}", made=stage.made)
    own = stage.ask(dialect, operation, SPEAKERS[dialect.name].always)
    assert own.status_code in (200, refusals(dialect).job), own.text
    numeric = stage.path(operation, stage.busiest).rpartition("/")[2].isdigit()
    absent = "9007199254740991" if numeric else str(NOWHERE)
    statuses = {refusals(dialect).job}
    for word in (absent, stage.busiest.number if numeric else stage.busiest.id):
        answer = other.ask(dialect, operation, SPEAKERS[dialect.name].always, job=word)
        assert answer.status_code in statuses, answer.text


@every_dialect
def test_a_parameter_that_does_not_fit(stage: Stage, dialect: Dialect) -> None:
    faulty = SPEAKERS[dialect.name].faulty
    if faulty is None:
        assert refusals(dialect).parameter is None
        return
    operation = next(one for one in dialect.operations if one.id == faulty[0])
    answer = stage.ask(dialect, operation, (*SPEAKERS[dialect.name].always, *faulty[1]))
    assert answer.status_code == refusals(dialect).parameter


BAD_WORDS = (
    *("", " ", "-1", "1e3", "٣", "9" * 400, "NaN", "a,b", "%", "\\", "' OR 1=1 --", "<x>&]]>"),
    *("\x7f\x1b[31m", "=1+1", "9999-12-31T23:59:59-14:00", "0001-01-01", "x" * 600, "\U0010ffff"),
)


@each(CLOSED)
def test_no_word_in_any_parameter_breaks_anything(
    stage: Stage, dialect: Dialect, operation: Operation
) -> None:
    """Whatever stands in a parameter, the answer is one that the document tells, and no 5xx."""
    if operation.method != "GET":
        return
    always = SPEAKERS[dialect.name].always
    for parameter in operation.parameters:
        for word in BAD_WORDS:
            sent = tuple(pair for pair in always if pair[0] != parameter.name)
            if parameter.where == "query":
                answer = stage.ask(dialect, operation, (*sent, (parameter.name, word)))
            elif parameter.where == "header" and word.strip().isascii() and word.isprintable():
                answer = stage.ask(dialect, operation, sent, headers={parameter.name: word.strip()})
            else:
                continue
            assert answer.status_code < 500, (parameter.name, word, answer.text)


BODIES = (
    *(b"", b"{", b"null", b"[]", b"[[]]", b"7", b'"x"', b"\xff\xfe", b"\x00", b"{}", b'{"a":1}'),
    *(b'{"type":NaN}', b'{"jobs":[{}]}', b'{"events":[{}]}', b'{"requests":[{}]}', b"[" * 10_000),
    *(b'{"type":"\\ud800"}', b'{"type":"\\u0000"}', b'{"type":1e400}', b'{"type":"a","type":"b"}'),
)


@each([(d, o) for d, o in CLOSED if o.body is not None])
def test_no_body_breaks_anything(stage: Stage, dialect: Dialect, operation: Operation) -> None:
    """What is no request of the operation is refused as its document says."""
    own = staged(stage.server, "bodies", made=stage.made)
    for body in BODIES:
        for media_type in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            answer = own.ask(dialect, operation, body=body, headers={"Content-Type": media_type})
            refused = (
                answer.status_code in range(400, 500) or b'"partial_success"' in answer.content
            )
            # Where each item stands for itself, a batch of none or of bad ones is no bad request.
            each_for_itself = dialect.name in ("openlineage", "fullstory")
            assert refused or each_for_itself, (body, answer.text)


@every_dialect
def test_a_move_that_the_state_does_not_allow(stage: Stage, dialect: Dialect) -> None:
    move = SPEAKERS[dialect.name].move
    if move is None:
        assert refusals(dialect).move is None
        return
    operation = next(one for one in dialect.operations if one.id == move[0])
    ended = next(one for one in stage.made if one.life.state == "Succeeded")
    answer = stage.ask(dialect, operation, job=ended, body=move[1](ended))
    assert answer.status_code == refusals(dialect).move, answer.text


@pytest.fixture(params=["crash", "maintenance", "busy"])
def trouble(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Something that goes wrong behind every operation of the running server."""

    async def crash(*_: object) -> Any:
        raise RuntimeError("the password is swordfish \udc80")

    async def maintained(*_: object) -> None:
        raise faults.Maintenance("Back soon.", retry_after_s=77)

    async def busy(*_: object) -> None:
        raise errors.Busy("Too much is going on.", retry_after_s=3)

    match request.param:
        case "crash":
            # Said once for each request, with every local variable: what it says is another test's.
            monkeypatch.setattr(
                edge,
                "log",
                SimpleNamespace(exception=lambda *_, **__: None, error=lambda *_, **__: None),
            )
            monkeypatch.setattr(Teller, "answer", crash)
        case "maintenance":
            monkeypatch.setattr(Switch, "check", maintained)
        case _:
            monkeypatch.setattr(Teller, "answer", busy)
    return str(request.param)


def test_trouble_on_our_side_is_told_in_every_dialect(stage: Stage, trouble: str) -> None:
    for dialect, operation in CLOSED:
        if operation.body is not None and operation.method != "GET":
            continue  # the same fault, told by the same function; a body of each would have to be made
        speaker = SPEAKERS[dialect.name]
        told = speaker.lists.get(operation.id)
        words = (
            *speaker.always,
            *(told.words if told else (("id", "1"),) if speaker.always else ()),
        )
        answer = stage.ask(dialect, operation, words)
        assert answer.status_code == (500 if trouble == "crash" else 503), (
            operation.id,
            answer.text,
        )
        assert "swordfish" not in answer.text
        if trouble == "maintenance":
            assert answer.headers["retry-after"] == "77"


# What can befall any operation that needs a credential, and what any that takes a body, whether or not it says so.
ANY = (
    *(faults.Unauthenticated, faults.Forbidden, faults.BadSyntax, faults.TooLarge, errors.Busy),
    *(faults.Maintenance, faults.Crowded, faults.TooFast, faults.Broken),
)
BODIED = (faults.UnknownEncoding, faults.TooSlow)


def sample(fault: type[LedgerError]) -> LedgerError:
    """A fault as it may come, with everything that it can carry."""
    hostile = "A sentence with \u0000, \ufffd, <b>, ]]> and \U0001f600."
    more: dict[type[LedgerError], dict[str, Any]] = {
        errors.IllegalTransition: {"version": 3, "state": "Succeeded"},
        errors.Conflict: {"version": 3},
        errors.IdentityTaken: {"field": "request_id", "holder": NOWHERE},
        faults.WrongMethod: {"allow": ("GET", "HEAD")},
        faults.UnknownEncoding: {"accept": "gzip"},
    }
    if fault is errors.BatchRefused:
        return errors.BatchRefused((errors.Failure(0, errors.Invalid("No.", field="type")),))
    return fault(hostile, **more.get(fault, {}))


@each(CLOSED)
def test_every_fault_that_may_befall_an_operation_is_in_its_document(
    dialect: Dialect, operation: Operation
) -> None:
    may = {*operation.faults, *ANY, *(BODIED if operation.body is not None else ())}
    asked = Asked(
        operation.method,
        operation.path,
        path_params={"id": "1", "project": "p", "projectId": "p", "jobId": str(NOWHERE)},
        headers={"accept": "*/*"},
        body=b'{"type":"x"}',
        request_id="r",
        base_url="http://127.0.0.1",
        principal=Principal("k", "n", "p", frozenset()),
    )
    for fault in sorted(may, key=lambda one: one.code):
        said = dialect.fault(asked, sample(fault))
        headers = {name.lower(): word for name, word in said.headers}
        headers["content-type"] = said.media_type
        document.check(dialect, operation, document.Plain(said.status, headers, said.body))
