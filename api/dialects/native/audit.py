"""The native operations of an auditor: who did what, where jobs were and how long, what was refused.

Invariants: each needs the scope audit:read; each is paged by position, and what rests on the log may be asked as of an earlier moment.
Units: positions count events, durations and bounds are seconds. Errors: Invalid, naming the parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel

from api import faults, past
from api.dialects.native import view
from api.dialects.native.models import EventsOut
from api.dialects.native.words import single, whole
from api.operation import Asked, Operation, Parameter, Reply, Said, Scope
from ledger import errors, settings
from ledger.errors import Invalid
from ledger.events import EVENTS
from ledger.job import State
from projections.audit import Findings, Inquiry
from projections.filters import FILTERS, moment, state

Kind = Literal["actions", "stays", "stuck", "durations", "refusals"]
name = FILTERS["owner"].parse
_STUCK_S_MAX: Final = 10 * 366 * 86_400  # seconds; for longer, ask for a time

_PROJECT: Final = Parameter("project", "path", "The tenant; a key belongs to one.", required=True)
_WORDS: Final = {
    one.name: one
    for one in (
        Parameter("actor", "query", "Who: the name that events carry."),
        Parameter("credential_id", "query", "The id of the key that was used."),
        Parameter("event", "query", "What happened.", {"enum": list(EVENTS)}, example="job.canceled"),
        Parameter("code", "query", "Why: a code of the refusals.", example="illegal_transition"),
        Parameter("state", "query", "The state.", {"enum": list(State)}, example="Failed"),
        Parameter("type", "query", "Only jobs of this type."),
        Parameter("from", "query", "From this time of record on, itself among them: RFC 3339, or a date, which is its first moment."),
        Parameter("to", "query", "Up to this time of record, itself among them."),
        Parameter("longer_than", "query", "For so many seconds, or longer.",
                  {"type": "integer", "minimum": 0, "maximum": _STUCK_S_MAX}, example=3600),
        Parameter("after", "query", "Where the page begins: take the whole address from `next`.", {"type": "integer", "minimum": 0}),
        Parameter("limit", "query", "How many at most.",
                  {"type": "integer", "minimum": 1, "maximum": settings.PAGE_LIMIT_MAX, "default": settings.FEED_LIMIT_DEFAULT}),
    )
}  # fmt: skip


class FoundOut(BaseModel):
    """Rows in order; the address of the next page, null on the last one."""

    rows: list[dict[str, Any]]
    next: str | None


def inquiry(kind: Kind, words: tuple[str, ...], asked: Asked) -> Inquiry:
    """What an operation asks with these words."""
    given = single(asked, words)
    found = Inquiry(
        kind=kind,
        project=asked.path_params["project"],
        actor=_word(given, "actor", name),
        credential_id=_word(given, "credential_id", name),
        event=_word(given, "event", _event),
        code=_word(given, "code", name),
        state=_word(given, "state", state),
        type=_word(given, "type", name),
        begin=_word(given, "from", moment),
        end=_word(given, "to", moment),
        after=whole(given, "after", 0, 0, settings.COUNT_MAX),
        limit=whole(given, "limit", settings.FEED_LIMIT_DEFAULT, 1, settings.PAGE_LIMIT_MAX),
        as_of=asked.as_of,
    )
    if found.as_of is not None and found.as_of.happened is not None:
        raise Invalid(
            "as_of_kind is recorded: an auditor asks by times of record.", field="as_of_kind"
        )
    if found.begin is not None and found.end is not None and found.begin > found.end:
        raise Invalid("from is later than to.", field="from")
    if kind in ("stays", "stuck") and found.state is None:
        raise Invalid("state is missing: the state that the jobs were in.", field="state")
    if kind != "stuck":
        return found
    bound = timedelta(seconds=whole(given, "longer_than", 3_600, 0, _STUCK_S_MAX))
    return replace(found, since=asked.now - bound)


def _word(given: dict[str, str], key: str, parse: Callable[[str], Any]) -> Any:
    if key not in given:
        return None
    try:
        return parse(given[key])
    except ValueError as error:
        raise Invalid(f"{key}: {error}", field=key) from error


def _event(word: str) -> str:
    if word not in EVENTS:
        raise ValueError(f"An event is one of {', '.join(EVENTS)}.")
    return word


def actions(asked: Asked, found: Findings) -> Said:
    """Events, as the feed has them."""
    last = found.recorded[-1].position if found.recorded else 0
    body = {
        "events": [view.event(one) for one in found.recorded],
        "last": last,
        "next": _next(asked, found),
    }
    return view.said(body)


def rows(asked: Asked, found: Findings) -> Said:
    """Rows, as they were found."""
    return view.said({"rows": found.rows, "next": _next(asked, found)})


def _next(asked: Asked, found: Findings) -> str | None:
    return None if found.last is None else view.page_url(asked, after=str(found.last))


_FAULTS: Final = (
    *(faults.Unauthenticated, faults.Forbidden, faults.NoSuchProject, errors.Invalid),
    *(errors.Busy, faults.Behind, faults.Maintenance, faults.Crowded, faults.TooFast),
    *(faults.BadSyntax, faults.TooLarge),
)
_PAGE: Final = ("after", "limit")
# Kind -> what it answers, what may be asked.
KINDS: Final[tuple[tuple[Kind, str, tuple[str, ...]], ...]] = (
    ("actions", "What an actor or a credential did; or who did a thing, such as cancel, and when.",
     ("actor", "credential_id", "event", "from", "to", *_PAGE)),
    ("stays", "Jobs that were ever in a state between two times, and when they came and left.",
     ("state", "from", "to", *_PAGE)),
    ("stuck", "Jobs that have been in a state for longer than a bound, those that came first before the others.",
     ("state", "longer_than", *_PAGE)),
    ("durations", "How long jobs stayed in each state, of the stays that began between two times: percentiles by type, of those that ended.",
     ("type", "state", "from", "to")),
    ("refusals", "Commands that were refused: who asked, what for, and why not.",
     ("actor", "credential_id", "code", "from", "to", *_PAGE)),
)  # fmt: skip


def _asking(kind: Kind, words: tuple[str, ...]) -> Callable[[Asked], Inquiry]:
    return lambda asked: inquiry(kind, words, asked)


def _operation(kind: Kind, summary: str, words: tuple[str, ...]) -> Operation:
    travels = kind != "refusals"
    return Operation(
        id=f"audit{kind.capitalize()}",
        method="GET",
        path=f"/v1/projects/{{project}}/audit/{kind}",
        summary=summary,
        scope=Scope.AUDIT_READ,
        ask=_asking(kind, words),
        tell=actions if kind == "actions" else rows,
        replies=(Reply(200, "What was found.", EventsOut if kind == "actions" else FoundOut),),
        parameters=(
            _PROJECT,
            *(_WORDS[word] for word in words),
            *((past.PARAMETERS[0],) if travels else ()),
        ),
        faults=_FAULTS,
        past=past.of_query if travels else None,
    )


AUDIT: tuple[Operation, ...] = tuple(_operation(*kind) for kind in KINDS)
