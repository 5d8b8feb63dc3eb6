"""GoGrid's JSON.

Invariants: keys are sorted at every level; an option's missing description is null, but a history entry's missing note or time is left out,
and an entry does not name its kind: so the original had it. Only words of clients are quoted, and an option once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import Any, Final, assert_never

from api.dialects.gogrid.options import KEPT_MAX, Option
from api.dialects.gogrid.shape import Entry, Envelope, Fault, Listed, ShownJob, Thing, shown
from ledger.events import Json
from projections.question import Telling

MEDIA_TYPE: Final = "application/json"

_ENCODER: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def render(envelope: Envelope) -> bytes:
    """An answer in JSON."""
    return around(envelope, [_thing(one).encode("utf-8", "replace") for one in envelope.things])


def around(envelope: Envelope, told: Sequence[bytes]) -> bytes:
    """The same of things that are in JSON already."""
    numpages = "" if envelope.numpages is None else f'"numpages":{envelope.numpages},'
    text = (
        f'],"method":{quoted(envelope.method)},"status":"{envelope.status}",'
        f'"summary":{{{numpages}"returned":{len(told)},"start":{envelope.start},"total":{envelope.total}}}}}'
    )
    return b'{"list":[%b%b' % (b",".join(told), text.encode("utf-8", "replace"))


def _thing(thing: Thing) -> str:
    match thing:
        case ShownJob():
            return job(thing)
        case Option():
            return _option(thing)
        case Fault(message, errorcode):
            return (
                f'{{"errorcode":{quoted(errorcode)},"message":{quoted(message)},"object":"error"}}'
            )
        case _ as never:
            assert_never(never)


def job(one: ShownJob) -> str:
    """A job as a list tells it."""
    return (
        f'{{"attempts":{one.attempts},"command":{_option(one.command)},"createdon":{one.createdon},'
        f'"currentstate":{_option(one.currentstate)},"detail":{_detail(one.detail)},'
        f'"history":[{",".join(map(_entry, one.history))}],"id":{one.id},"lastupdatedon":{one.lastupdatedon},'
        f'"object":"job","objecttype":{_option(one.objecttype)},"owner":{quoted(one.owner)}}}'
    )


def _row(row: tuple[Any, ...], _: None) -> bytes:
    return job(shown(Listed._make(row))).encode("utf-8", "replace")


TELLING: Final = Telling(Listed._fields, _row)


def _detail(detail: Mapping[str, Json] | None) -> str:
    return "null" if detail is None else _ENCODER.encode(detail)


def _entry(entry: Entry) -> str:
    number, state, note, updatedon = entry
    said = "" if note is None else f'"note":{quoted(note)},'
    when = "" if updatedon is None else f',"updatedon":{updatedon}'
    return f'{{"id":{number},{said}"state":{_option(state)}{when}}}'


@lru_cache(maxsize=KEPT_MAX)
def _option(option: Option) -> str:
    described = "null" if option.description is None else quoted(option.description)
    return f'{{"description":{described},"id":{option.id},"name":{quoted(option.name)},"object":"option"}}'
