"""An operation: one method at one path, from the caller's words to a question and from the answer to bytes.

Invariants: `ask` and `tell` are pure (no request, connection or clock; the time is part of what was asked); an operation names its scope;
what it may answer, OpenAPI says. Errors: `ask` raises LedgerError, which the caller's dialect words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel
from uuid_utils.compat import uuid7

from api.batch.question import BatchPage, Results, Submission
from api.keyring.question import KeyQuestion, KeysFound
from api.turns import Turn
from ledger.commands import Key, Write
from ledger.committer import Committed
from ledger.errors import LedgerError
from ledger.job import Job
from ledger.names import Name
from ledger.past import AsOf
from ledger.settings import BODY_BYTES_MAX
from projections.audit import Findings, Inquiry
from projections.question import Counts, Events, Feed, Named, Page, Query, Tally


class Scope(StrEnum):
    """What a credential may do. PUBLIC needs none."""

    PUBLIC = "public"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    JOBS_CANCEL = "jobs:cancel"
    AUDIT_READ = "audit:read"
    KEYS_MANAGE = "keys:manage"
    ADMIN = "admin"

    # Enum's own is Python, and each look at what a credential may do takes one.
    __hash__ = str.__hash__


# What a scope grants beside itself.
IMPLIED: Mapping[Scope, frozenset[Scope]] = MappingProxyType(
    {Scope.ADMIN: frozenset(Scope), Scope.JOBS_WRITE: frozenset({Scope.JOBS_CANCEL})}
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the credential's id, the name that events carry as their actor, the project it asks in and its scopes there.

    `grants`: scopes by project, of a credential that may ask in several."""

    key_id: str
    name: str
    project: str
    scopes: frozenset[Scope]
    grants: Mapping[str, frozenset[Scope]] = field(default_factory=dict, hash=False)

    def within(self, project: str) -> Principal:
        """The same asking in another project of its own, or itself where it has no other."""
        if project == self.project or project not in self.grants:
            return self
        return replace(self, project=project, scopes=self.grants[project])

    def may(self, scope: Scope) -> bool:
        """Whether the scope is granted, by itself or implied by another."""
        return scope is Scope.PUBLIC or scope in _granted(self.scopes)


@cache  # of so few scopes there are few sets
def _granted(scopes: frozenset[Scope]) -> frozenset[Scope]:
    return scopes.union(*(IMPLIED.get(scope, ()) for scope in scopes))


@dataclass(slots=True)
class Asked:
    """A request in words. `query` keeps order and repeats; header names are lower case; `request_id` is ours, for logs and events.

    `as_of`: the earlier moment to answer for; `now` is then its time. `turn`: the one it waited for, if it had to.

    Not frozen, since the edge fills in body and principal as it comes to know them; whoever else is handed one only reads it."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    path_params: Mapping[str, str] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.fromtimestamp(0).astimezone())
    request_id: str = ""
    base_url: str = ""
    target: str = ""  # path and query just as they were sent
    principal: Principal | None = None
    turn: Turn | None = None
    as_of: AsOf | None = None
    new_id: Callable[[], UUID] = uuid7

    @property
    def who(self) -> Principal:
        """The principal of an operation that is not public."""
        assert self.principal is not None, "only public operations have no principal"
        return self.principal


# The media type of an answer that has no body, where its status would not say so.
NO_BODY: Final = ""


class Said(NamedTuple):
    """An answer in bytes. `media_type` is the whole Content-Type value, or NO_BODY."""

    status: int
    body: bytes
    media_type: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """The question of an operation that knows its answer: a constant table, a form of words."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A question about the ledger itself; the answer is ready-made bytes. `dialect`: whose description is asked for."""

    page: Literal["live", "ready", "metrics", "version", "openapi", "docs"]
    dialect: str = "native"


@dataclass(frozen=True, slots=True)
class Resolve:
    """A write about jobs that the caller calls by their names: first they are found, then `then` says what to write.

    `then` is pure and gets the jobs as the log has them; unknown names are absent. None: nothing is left to write. A command that rests on
    what was found says so by `if_version`: when the job has moved on, all of it is asked anew. A known `key` is answered before `then`."""

    project: str
    names: tuple[Name, ...]
    then: Callable[[Mapping[Name, Job]], Write | None]
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What came of a Resolve: the jobs that were found, and the write's outcome unless nothing was written."""

    found: Mapping[Name, Job]
    committed: Committed | None


@dataclass(frozen=True, slots=True)
class Each:
    """Writes that stand each for itself, beside the lane each is in: those of one lane go one after the other, in order."""

    lanes: tuple[tuple[str, Resolve], ...]


# What came of each, in order: a refusal of one is its own answer.
Outcomes = tuple[Resolved | LedgerError, ...]


def committed_position(outcomes: Outcomes) -> int:
    """The last position that was committed; 0 when nothing was."""
    return max(
        (
            one.committed.position
            for one in outcomes
            if isinstance(one, Resolved) and one.committed is not None
        ),
        default=0,
    )


@dataclass(frozen=True, slots=True)
class Proved:
    """A question about what was signed; the answer is ready-made bytes. `path`: of a tile, behind /log/tile/."""

    what: Literal["checkpoint", "tile", "receipt", "job"]
    project: str = ""
    position: int = 0
    job_id: UUID | None = None
    path: str = ""


# Questions about anything but jobs and events.
Aside = Results | Shown | Proved | KeyQuestion
Question = (
    Query | Named | Feed | Tally | Inquiry | Write | Resolve | Each | Submission | Nothing | Aside
)
Answer = (
    Page
    | Sequence[Job]
    | Events
    | Counts
    | Findings
    | Committed
    | Resolved
    | Outcomes
    | BatchPage
    | KeysFound
    | Said
    | None
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as OpenAPI shows it. `schema` is JSON Schema; `where` is query, path or header."""

    name: str
    where: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False
    example: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One documented success. `model` or `schema` says its body, `headers` names the headers that OpenAPI lists."""

    status: int
    description: str
    model: type[BaseModel] | None = None
    schema: Mapping[str, Any] | None = None
    media_types: tuple[str, ...] = ("application/json",)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of OPERATIONS. `body_bytes_max` bounds the body; who may send more than others is asked for his credential before it is read.

    `past`: the words among which an earlier moment may be named, where the operation can be asked as of one."""

    id: str
    method: str
    path: str
    summary: str
    scope: Scope
    ask: Callable[[Asked], Question]
    tell: Callable[[Asked, Any], Said]
    replies: tuple[Reply, ...]
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    body_media_types: tuple[str, ...] = ("application/json",)
    faults: tuple[type[LedgerError], ...] = ()
    description: str = ""
    body_bytes_max: int = BODY_BYTES_MAX
    past: Callable[[Asked], Iterable[tuple[str, str]]] | None = None
