"""What every GoGrid request says: its version, its format, its signature, and its parameters in a query or a form."""

from __future__ import annotations

import pytest

from api.dialects.dialect import Md5Signature
from api.dialects.gogrid import GOGRID
from api.operation import Asked, Scope
from ledger.errors import Invalid
from projections.question import Named, Query
from tests.fix_gogrid import (
    GET,
    LIST,
    LOOKUP,
    NOW,
    READER,
    SIGNED,
    ask,
    asked,
    listed,
    operation,
    values,
)

SIG = "0" * 32

# --- every request ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.0", "1.3", "1.5", "1.6", "1.7", "1.8", "1.9", "1.42"])
def test_any_version_1_is_spoken(version: str) -> None:
    query = (("v", version), ("id", "7"))
    assert isinstance(operation(GET).ask(Asked("GET", GET, query, principal=READER)), Named)


@pytest.mark.parametrize("version", ["", "2.0", "1", "1.", "0.9", "1.8.1", "x", "v1.8", "1.٨"])
def test_no_other_version_is(version: str) -> None:
    query = (("v", version), ("id", "7"))
    with pytest.raises(Invalid, match="v is required"):
        operation(GET).ask(Asked("GET", GET, query, principal=READER))


def test_a_version_is_required() -> None:
    for path in (GET, LIST, LOOKUP):
        with pytest.raises(Invalid, match="v is required"):
            operation(path).ask(
                Asked("GET", path, (("id", "7"), ("lookup", "job.state")), principal=READER)
            )


@pytest.mark.parametrize("path", [GET, LIST, LOOKUP])
def test_there_are_three_formats(path: str) -> None:
    query = "lookup=datacenter" if path == LOOKUP else "id=7" if path == GET else ""
    for form in ("json", "xml", "csv", "JSON", ""):
        ask(path, f"{query}&format={form}")
    with pytest.raises(Invalid, match="format is"):
        ask(path, f"{query}&format=yaml")


def test_a_form_says_the_same_as_a_query() -> None:
    words = "num_items=5&page=2&job.state=4&job.state=Fatal&owner=a%40b.c&object=test+2"
    assert listed(words) == listed(form=words)
    whole = Asked(
        "POST", LIST, body=f"{SIGNED}&{words}".encode(), headers={}, now=NOW, principal=READER
    )
    assert operation(LIST, "POST").ask(whole) == listed(words)
    assert ask(GET, "id=1&id=2") == ask(GET, "id=1", form="id=2&id=1")


def test_a_form_is_a_form() -> None:
    headers = {"content-type": "application/json"}
    with pytest.raises(Invalid, match="x-www-form-urlencoded"):
        ask(LIST, form='{"page": 1}', headers=headers)
    for body in (b"owner=%ff", b"owner=\xff", b"owner=a%00b", b"&".join([b"a=1"] * 1_001)):
        with pytest.raises(Invalid, match="body"):
            ask(LIST, form="", body=body)
    sent_without_type = asked(LIST, form="owner=me", headers={})
    question = operation(LIST, "POST").ask(sent_without_type)
    assert isinstance(question, Query)
    assert values(question) == {"owner": ("me",)}


def test_a_parameter_without_a_value_is_absent() -> None:
    empty = (
        "num_items=&page=&startdate=&enddate=&job.state=&job.objecttype=&owner=&object=&datacenter="
    )
    assert listed(empty) == listed()


def test_a_single_parameter_has_one_value() -> None:
    assert listed("owner=me&owner=me") == listed("owner=me")
    for name in ("owner", "object", "num_items", "page", "startdate", "enddate", "format"):
        with pytest.raises(Invalid, match=f"{name} has several values"):
            listed(f"{name}=1&{name}=2")


def test_what_other_methods_take_is_left_alone() -> None:
    assert listed("sort=id&asc=true&server.type=1&_=1231007644632") == listed()


def test_every_operation_reads_and_needs_the_right_to() -> None:
    assert {one.scope for one in GOGRID.operations} == {Scope.JOBS_READ}
    found = {(one.method, one.path) for one in GOGRID.operations}
    assert found == {(verb, path) for verb in ("GET", "POST") for path in (GET, LIST, LOOKUP)}


# --- the credential -----------------------------------------------------------------------------


def test_a_signature_is_found_in_the_query_and_in_the_form() -> None:
    signature = Md5Signature("k", SIG)
    pairs = (("api_key", "k"), ("sig", SIG))
    assert GOGRID.credential(Asked("GET", LIST, pairs)) == signature
    form = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    body = f"api_key=k&sig={SIG}".encode()
    assert GOGRID.credential(Asked("POST", LIST, body=body, headers=form)) == signature
    assert (
        GOGRID.credential(Asked("POST", LIST, pairs[:1], form, f"sig={SIG}".encode())) == signature
    )


@pytest.mark.parametrize(
    "query",
    [
        "",
        "api_key=k",
        "sig=x",
        "api_key=&sig=",
        "api_key=a&api_key=b&sig=x",
        "api_key=k&sig=x&sig=y",
    ],
)
def test_half_a_signature_is_none(query: str) -> None:
    pairs = tuple(tuple(pair.split("=")) for pair in query.split("&") if pair)
    assert GOGRID.credential(Asked("GET", LIST, pairs)) is None  # type: ignore[arg-type]


def test_an_unreadable_body_is_no_credential() -> None:
    asked_for = Asked("POST", LIST, body=b"api_key=k&sig=%ff", headers={})
    assert GOGRID.credential(asked_for) is None
