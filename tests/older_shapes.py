"""Older shapes of events, made for the tests, since no released shape differs from today's: what four of the classes would look like after one change
or two, the upcasts in Python and the lifts in SQL that such a change brings, and bodies written as they were before it.

Invariants: `aged` is the inverse of the upcasts, so that a body of any age says what the one of today says. `tests/golden/older_shapes/log.jsonl` is
the log of tests/golden/log_1 in shapes of every age, and never changes: `python -m tests.older_shapes` refuses to write over it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from ledger import sql
from ledger.events import EVENTS
from projections import shape

State = dict[str, Any]
GOLDEN: Final = Path(__file__).parent / "golden"
FOLDER: Final = GOLDEN / "older_shapes"


def _renamed(older: str, newer: str) -> tuple[Callable[[State], None], Callable[[State], None]]:
    """A field under another name: the upcast, and the way back."""

    def up(state: State) -> None:
        if older in state:
            state[newer] = state.pop(older)

    def down(state: State) -> None:
        if newer in state:
            state[older] = state.pop(newer)

    return up, down


def _final(state: State) -> None:
    if "retry" in state:
        state["final"] = not state.pop("retry")


def _retry(state: State) -> None:
    if "final" in state:
        state["retry"] = not state.pop("final")


def _spread(state: State) -> None:
    counts = state.pop("counts", {})
    state |= {name: counts[word] for word, name in _WORDS.items() if word in counts}


def _gathered(state: State) -> None:
    counts = {word: state.pop(name) for word, name in _WORDS.items() if name in state}
    if counts:
        state["counts"] = counts


_WORDS: Final = {"ok": "succeeded", "bad": "failed"}
# Topic -> how its shapes follow each other: from each to the next, and back.
CHANGES: Final[Mapping[str, tuple[tuple[Callable[[State], None], Callable[[State], None]], ...]]] = {
    "job.created": (_renamed("sort", "type"), _renamed("by", "owner")),
    "job.progressed": (_renamed("share", "progress"),),
    "job.items_reported": ((_spread, _gathered),),
    "job.failed": ((_final, _retry),),
}  # fmt: skip
LIFTS: Final = """
-- name: job_created_v1_v2
-- The type was called sort.
(event - 'sort') || jsonb_build_object('type', event -> 'sort')

-- name: job_created_v2_v3
-- The owner was called by.
(event - 'by') || jsonb_build_object('owner', event -> 'by')

-- name: job_progressed_v1_v2
-- The progress was called share.
CASE WHEN event ? 'share' THEN (event - 'share') || jsonb_build_object('progress', event -> 'share') ELSE event END

-- name: job_items_reported_v1_v2
-- Both counts stood in one object.
(event - 'counts') || jsonb_strip_nulls(jsonb_build_object('succeeded', event #> '{counts,ok}', 'failed', event #> '{counts,bad}'))

-- name: job_failed_v1_v2
-- It was said whether it may be tried again.
CASE WHEN event ? 'retry' THEN (event - 'retry') || jsonb_build_object('final', NOT (event -> 'retry')::boolean) ELSE event END
"""


def change(patch: pytest.MonkeyPatch) -> None:
    """Let today's shapes be the last of several, until the patch is undone."""
    for topic, steps in CHANGES.items():
        patch.setattr(EVENTS[topic], "class_version", len(steps) + 1)
        for version, (up, _) in enumerate(steps, 1):
            name = f"upcast_v{version}_v{version + 1}"
            patch.setattr(EVENTS[topic], name, staticmethod(up), raising=False)
    patch.setattr(shape, "LIFTS", sql.parse(LIFTS))


def aged(topic: str, state: str, version: int) -> str:
    """A body of today, as it was written when its class had this shape."""
    body = json.loads(state)
    body.pop("class_version", None)
    event = body.pop("event")
    for _, down in reversed(CHANGES.get(topic, ())[version - 1 :]):
        down(event)
    if version > 1:
        body["class_version"] = version
    return json.dumps({**body, "event": event}, ensure_ascii=False, separators=(",", ":"))


def make() -> None:
    """Write the golden log."""
    FOLDER.mkdir()
    turn, lines = Counter[str](), []
    for line in (GOLDEN / "log_1" / "log.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        version = turn[row["topic"]] % (len(CHANGES.get(row["topic"], ())) + 1) + 1
        turn[row["topic"]] += 1
        row["state"] = aged(row["topic"], row["state"], version)
        lines.append(f"{json.dumps(row)}\n")
    (FOLDER / "log.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    make()
