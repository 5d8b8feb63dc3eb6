"""Faults: every way the ledger says no, as a sentence with a code and a hint.

Invariants: a code is for ever and is worded by no dialect; `str(error)` is the sentence for people; `hint` says what to do next.
`changed` tells whether the command may have taken effect: False for a refusal, None when nobody knows yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


class LedgerError(Exception):
    """Something was refused."""

    code: ClassVar[str] = "refused"
    hint: ClassVar[str] = "Read the message, mend the request, then try again."
    changed: ClassVar[bool | None] = False


class Invalid(LedgerError):
    """The request does not say what it should."""

    code = "invalid"
    hint = "Compare the request with the operation's description in /openapi.json."

    def __init__(
        self, sentence: str, *, field: str | None = None, problems: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(sentence)
        self.field = field
        # Every field at fault with its sentence, when there are several.
        self.problems = problems or (((field, sentence),) if field else ())


class UnknownJob(LedgerError):
    """No such job in this project."""

    code = "unknown_job"
    hint = "Check the id and the project, then list the jobs."


class IllegalTransition(LedgerError):
    """The job's state does not allow this event."""

    code = "illegal_transition"
    hint = "Read the job again: its state says which events it may take next."

    def __init__(self, sentence: str, *, version: int, state: str | None) -> None:
        super().__init__(sentence)
        self.version = version
        self.state = state


class Conflict(LedgerError):
    """Another change reached this job first."""

    code = "conflict"
    hint = "Read the job again, then retry with its new version."

    def __init__(self, sentence: str, *, version: int) -> None:
        super().__init__(sentence)
        self.version = version


class IdentityTaken(LedgerError):
    """Another job of this project already has that number, request id, source id or id."""

    code = "identity_taken"
    hint = "Read the job that has it, or leave the field out."

    def __init__(self, sentence: str, *, field: str, holder: UUID | None) -> None:
        super().__init__(sentence)
        self.field = field
        self.holder = holder


class KeyReused(LedgerError):
    """This idempotency key was used for another request."""

    code = "idempotency_key_reused"
    hint = "Send each new request under a new key; repeat a key only with the same bytes."


class KeyInFlight(LedgerError):
    """A request with this idempotency key is still under way."""

    code = "idempotency_key_in_flight"
    hint = "Wait for the first answer, or retry in a second with the same key."


class Busy(LedgerError):
    """More work is waiting than the ledger accepts at once."""

    code = "busy"
    hint = "Wait as long as Retry-After says, then send the same request again."

    def __init__(self, sentence: str, *, retry_after_s: int = 1) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class QuotaReached(Busy):
    """The project has as much work waiting as it may."""

    code = "quota_reached"
    hint = "Wait until some of it is done, at least as long as Retry-After says, then send the same request again."


class Unreachable(LedgerError):
    """PostgreSQL did not answer, so the outcome is unknown."""

    code = "unreachable"
    hint = "Retry with the same Idempotency-Key: the answer then says what happened."
    changed = None


class Undecodable(LedgerError):
    """A stored event cannot be read by this version of the ledger."""

    code = "undecodable"
    hint = "Upgrade the ledger, or look at the event named here: its topic or body is not one that was ever written."


class Misconfigured(LedgerError):
    """The ledger refuses to start this way."""

    code = "misconfigured"
    hint = "Change the setting that the message names."


@dataclass(frozen=True, slots=True)
class Failure:
    """One refused command of a batch: its index from 0, and why."""

    index: int
    error: LedgerError


class BatchRefused(LedgerError):
    """Some commands of the batch were refused, so none was saved."""

    code = "batch_refused"
    hint = "Mend the commands at the indices named in failures, then send the whole batch again."

    def __init__(self, failures: tuple[Failure, ...]) -> None:
        indices = ", ".join(str(failure.index) for failure in failures[:20])
        super().__init__(
            f"{len(failures)} of the commands were refused (index {indices}); nothing was saved."
        )
        self.failures = failures


def moved_on(error: LedgerError) -> bool:
    """Whether a write was refused only because its jobs are no longer what was found."""
    failures = error.failures if isinstance(error, BatchRefused) else ()
    causes = [failure.error for failure in failures] or [error]
    return any(isinstance(cause, Conflict | IdentityTaken) for cause in causes)
