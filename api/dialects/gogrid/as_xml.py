"""GoGrid's XML.

Invariants: no white space between elements, since clients take the first child; a missing value is an empty element; a character that XML 1.0
cannot hold becomes U+FFFD, so that every answer parses. `detail` is what Java's Map.toString says, ambiguous as that is; one that was imported as a
text is that text again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, assert_never

from api.dialects.gogrid.options import KEPT_MAX, Option
from api.dialects.gogrid.shape import Entry, Envelope, Fault, Listed, ShownJob, Thing, shown
from ledger.events import Json
from projections.question import Telling

MEDIA_TYPE: Final = "text/xml; charset=utf-8"

# Where a detail is kept that came as what Java says of a map and could not be taken apart.
WHOLE_TEXT: Final = "toString()"

ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile(f'{ILLEGAL.pattern}|[&<>"\r]')
# The last one, since a parser would turn it into a plain line end.
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
)


def render(envelope: Envelope) -> bytes:
    """An answer in XML."""
    return around(envelope, [_thing(one).encode() for one in envelope.things])


def around(envelope: Envelope, told: Sequence[bytes]) -> bytes:
    """The same of things that are in XML already."""
    pages = "" if envelope.numpages is None else f' numpages="{envelope.numpages}"'
    summary = f'<summary total="{envelope.total}" start="{envelope.start}"{pages} returned="{len(told)}"/>'
    head = f'<gogrid><response method="{_text(envelope.method)}" status="{envelope.status}">{summary}<list>'
    return b"%b%b</list></response></gogrid>" % (head.encode(), b"".join(told))


def _thing(thing: Thing) -> str:
    match thing:
        case ShownJob():
            return job(thing)
        case Option():
            return _option(thing)
        case Fault(message, errorcode):
            return _object("error", message=_text(message), errorcode=_text(errorcode))
        case _ as never:
            assert_never(never)


def job(one: ShownJob) -> str:
    """A job as a list tells it."""
    detail = "" if one.detail is None else _text(detail_text(one.detail))
    return (
        f'<object name="job"><attribute name="id">{one.id}</attribute><attribute name="owner">{_text(one.owner)}</attribute>'
        f'<attribute name="createdon">{one.createdon}</attribute><attribute name="lastupdatedon">{one.lastupdatedon}</attribute>'
        f'<attribute name="attempts">{one.attempts}</attribute>'
        f'<attribute name="history"><list>{"".join(map(_entry, one.history))}</list></attribute>'
        f'<attribute name="currentstate">{_option(one.currentstate)}</attribute>'
        f'<attribute name="command">{_option(one.command)}</attribute>'
        f'<attribute name="objecttype">{_option(one.objecttype)}</attribute><attribute name="detail">{detail}</attribute></object>'
    )


def _row(row: tuple[Any, ...], _: None) -> bytes:
    return job(shown(Listed._make(row))).encode()


TELLING: Final = Telling(Listed._fields, _row)


def _entry(entry: Entry) -> str:
    number, state, note, updatedon = entry
    return (
        f'<object name="job_history"><attribute name="id">{number}</attribute><attribute name="state">{_option(state)}</attribute>'
        f'<attribute name="note">{"" if note is None else _text(note)}</attribute>'
        f'<attribute name="updatedon">{"" if updatedon is None else updatedon}</attribute></object>'
    )


@lru_cache(maxsize=KEPT_MAX)
def _option(option: Option) -> str:
    return _object(
        "option",
        id=str(option.id),
        name=_text(option.name),
        description=_text(option.description or ""),
    )


def _object(name: str, /, **attributes: str) -> str:
    """An object. Attribute values are XML already."""
    inner = "".join(f'<attribute name="{key}">{xml}</attribute>' for key, xml in attributes.items())
    return f'<object name="{name}">{inner}</object>'


def _text(text: str) -> str:
    if not _SPECIAL.search(text):
        return text
    return ILLEGAL.sub("\ufffd", text).translate(_ESCAPES)


def detail_text(detail: Mapping[str, Json]) -> str:
    """A job's detail as the text that stands in XML."""
    whole = detail.get(WHOLE_TEXT) if len(detail) == 1 else None
    return whole if isinstance(whole, str) else java_text(detail)


def java_text(value: Json | Mapping[str, Json]) -> str:
    """A value as Java's toString says it: {key=value, key=[1, 2]}."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(java_text(one) for one in value)}]"
        case Mapping():
            return f"{{{', '.join(f'{key}={java_text(one)}' for key, one in value.items())}}}"
    return str(value)
