"""The description for people: one page of plain HTML, made from OPERATIONS, that needs nothing from outside.

Invariants: no script, no font, no request to anywhere; every operation and every fault code has an anchor that problems link to."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

from api import faults, operation
from api.dialects import DIALECTS
from api.dialects.dialect import Dialect
from api.faults import STATUSES
from api.operation import Operation
from ledger import errors
from ledger.errors import LedgerError

HEADERS = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ("Cache-Control", "max-age=300"),
)
_STYLE = Path(__file__).with_name("docs.css")


@cache
def text(name: str = "native") -> bytes:
    """The page of one dialect; the native one has the refusals too."""
    spoken = next(dialect for dialect in DIALECTS if dialect.name == name)
    contents = "".join(
        f'<li><a href="/docs/{dialect.name}">{escape(dialect.title)}</a></li>'
        for dialect in DIALECTS
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Job ledger</title><style>{_STYLE.read_text(encoding='utf-8')}</style>"
        "<header><h1>Job ledger</h1><p>Every state a job was ever in is an event, and nothing is overwritten.</p></header>"
        f"<nav><ul>{contents}<li><a href='/docs#refusals'>Refusals</a></li></ul></nav>"
        + _dialect(spoken)
        + (_refusals() if spoken.name == "native" else "")
        + "</html>"
    ).encode()


def _dialect(dialect: Dialect) -> str:
    operations = "".join(_operation(one) for one in dialect.operations)
    return f"<section id='{dialect.name}'><h2>{escape(dialect.title)}</h2><p>{escape(dialect.description)}</p>{operations}</section>"


def _operation(one: Operation) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(parameter.name)}</code><td>{parameter.where}<td>{escape(parameter.description)}"
        for parameter in one.parameters
    )
    table = f"<table><tr><th>parameter<th>in<th>meaning{parameters}</table>" if parameters else ""
    refusals = ", ".join(f"<a href='/docs#{fault.code}'>{fault.code}</a>" for fault in one.faults)
    told = f"<p>Refusals: {refusals}</p>" if refusals else ""
    answers = "; ".join(
        f"<b>{reply.status}</b> {escape(reply.description)}" for reply in one.replies
    )
    scope = (
        "" if one.scope is operation.Scope.PUBLIC else f" <small>scope {one.scope.value}</small>"
    )
    return (
        f"<article id='{one.id}'><h3><code>{one.method} {escape(one.path)}</code>{scope}</h3>"
        f"<p>{escape(one.summary)} {escape(one.description)}</p>{table}<p>Answers: {answers}</p>{told}</article>"
    )


def _refusals() -> str:
    rows = "".join(
        f"<tr id='{fault.code}'><td><code>{fault.code}</code><td>{STATUSES[fault.code]}"
        f"<td>{escape((fault.__doc__ or '').splitlines()[0])}<td>{escape(fault.hint)}"
        for fault in _known_faults()
    )
    return f"<section id='refusals'><h2>Refusals</h2><table><tr><th>code<th>status<th>meaning<th>what to do{rows}</table></section>"


def _known_faults() -> list[type[LedgerError]]:
    found = [
        thing
        for module in (errors, faults)
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, LedgerError)
        and thing.__module__ == module.__name__
    ]
    return sorted(found, key=lambda fault: (STATUSES[fault.code], fault.code))
