"""The native operations about what was signed: checkpoint and tiles for everybody, receipts and proofs for a project's own events."""

from __future__ import annotations

from typing import Final

from api import faults
from api.dialects.native.words import job_id
from api.operation import Asked, Operation, Parameter, Proved, Reply, Said, Scope
from api.place import operator_settings
from ledger import errors, proof
from ledger.settings import COUNT_MAX

# A path of a tile has up to three elements of its index, and one for the width where it is not full.
_ELEMENTS: Final = ("a", "b", "c", "d")
_PROJECT: Final = Parameter(
    "project", "path", "The tenant; a key belongs to one.", required=True, example="demo"
)
_FAULTS: Final = (
    faults.Unauthenticated,
    faults.Forbidden,
    faults.NoSuchProject,
    errors.Invalid,
    errors.Busy,
    faults.Maintenance,
    faults.Crowded,
    faults.TooFast,
    faults.BadSyntax,
    faults.TooLarge,
    proof.NotSigned,
    proof.NoSuchEvent,
)
_PUBLIC_FAULTS: Final = (errors.Busy, proof.NotSigned, faults.NoSuchPath)


def _as_is(asked: Asked, said: Said) -> Said:
    return said


def _checkpoint(asked: Asked) -> Proved:
    return Proved("checkpoint")


def _tile(asked: Asked) -> Proved:
    return Proved("tile", path=asked.path.removeprefix("/log/tile/"))


def _receipt(asked: Asked) -> Proved:
    word = asked.path_params["position"]
    whole = word.isascii() and word.isdecimal() and len(word) < len(str(COUNT_MAX))
    # No event stands at 0, so what is no position gets the same answer as one without an event.
    return Proved("receipt", asked.path_params["project"], int(word) if whole else 0)


def _job(asked: Asked) -> Proved:
    return Proved("job", asked.path_params["project"], job_id=job_id(asked))


def _tiles(elements: int, scope: Scope) -> Operation:
    names = ("level", *_ELEMENTS[:elements])
    described = (
        "The level of the tree, or `entries` for the leaves.",
        "An element of the tile's index, such as 067, or 067.p before a width.",
    )
    return Operation(
        id=f"getTile{elements}",
        method="GET",
        path="/log/tile/" + "/".join(f"{{{name}}}" for name in names),
        summary="A tile of the tree over the log, or the leaves beside one, as C2SP's tlog-tiles has them.",
        scope=scope,
        ask=_tile,
        tell=_as_is,
        parameters=tuple(
            Parameter(name, "path", described[name != "level"], required=True) for name in names
        ),
        replies=(
            Reply(
                200,
                "Hashes, or leaves. It never changes.",
                schema={"type": "string", "format": "binary"},
                media_types=("application/octet-stream",),
                headers=("Cache-Control",),
            ),
        ),
        faults=_PUBLIC_FAULTS if scope is Scope.PUBLIC else (*_FAULTS, faults.NoSuchPath),
    )


def _text(told: str) -> Reply:
    return Reply(
        200,
        told,
        schema={"type": "string"},
        media_types=("text/plain",),
        headers=("Cache-Control",),
    )


def _log(scope: Scope) -> tuple[Operation, ...]:
    return (
        Operation(
            id="getCheckpoint",
            method="GET",
            path="/log/checkpoint",
            summary="The last checkpoint: the root of the tree over the log, signed.",
            scope=scope,
            ask=_checkpoint,
            tell=_as_is,
            replies=(_text("A signed note: C2SP's tlog-checkpoint."),),
            faults=_PUBLIC_FAULTS if scope is Scope.PUBLIC else _FAULTS,
        ),
        *(_tiles(elements, scope) for elements in range(1, len(_ELEMENTS) + 1)),
    )  # fmt: skip


_OWN: Final = (
    Operation(
        id="getReceipt",
        method="GET",
        path="/v1/projects/{project}/events/{position}/receipt",
        summary="The receipt of one event: the proof that it is in the log that was signed.",
        scope=Scope.JOBS_READ,
        ask=_receipt,
        tell=_as_is,
        parameters=(
            _PROJECT,
            Parameter("position", "path", "The event's position.", required=True),
        ),
        replies=(_text("C2SP's tlog-proof; its extra line lays the event open."),),
        faults=_FAULTS,
    ),
    Operation(
        id="getJobProof",
        method="GET",
        path="/v1/projects/{project}/jobs/{id}/proof",
        summary="The proof of a job's whole history, to be checked offline.",
        scope=Scope.JOBS_READ,
        ask=_job,
        tell=_as_is,
        parameters=(
            _PROJECT,
            Parameter(
                "id", "path", "The job's id.", {"type": "string", "format": "uuid"}, required=True
            ),
        ),
        replies=(Reply(200, "What `jobledger prove` prints.", schema={"type": "object"}),),
        faults=(*_FAULTS, errors.UnknownJob),
    ),
)

PROOFS: tuple[Operation, ...] = (*_log(Scope(operator_settings().log_scope)), *_OWN)
