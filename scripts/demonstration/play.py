"""A play: one job being lived by its plan, through the API.

Invariants: every write has an idempotency key, and every event but a customer's insists on the version that its worker saw last; the state that a
job ends in is the plan's. One thread at a time. Errors: Unexpected."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from scripts.demonstration.client import Client
from scripts.demonstration.plan import Plan, Step
from scripts.demonstration.unexpected import check


class Play:
    """A plan, how far it is, and what became of it."""

    def __init__(self, plan: Plan, client: Client, begins: datetime) -> None:
        self.plan = plan
        self.client = client
        self.at = begins
        self.done = 0
        self.id = ""
        self.number = 0
        self.state = ""
        self.events = 0  # events that the ledger said it took
        self.sent_twice = 0
        self.outrun = 0  # events refused because the job had changed meanwhile
        self._etag = ""

    @property
    def next(self) -> Step | None:
        """What happens next; None at the end."""
        return self.plan.steps[self.done] if self.done < len(self.plan.steps) else None

    def created(self, job: dict[str, Any]) -> None:
        """The job is there, as the answer to its creation shows it."""
        self.id, self.number = job["id"], job["number"]
        self._heard(job)

    def heard_in_batch(self, job: dict[str, Any], at: datetime) -> None:
        """The next step was told together with others'."""
        self._heard(job)
        self.at, self.done = at, self.done + 1

    def advance(self, claim: datetime | None) -> str:
        """Tell the next step, with the platform's own time or without; returns what it was, in words."""
        step = self.next
        assert step is not None, "the play is over"
        body = step_body(step, claim)
        self.at += timedelta(seconds=step.after_s)
        etag = None if step.by_customer else self._etag
        path = f"{self.client.jobs}/{self.id}/events"
        key = f"{self.plan.name}/{self.done}"
        answer = self.client.post(path, body, key=key, etag=etag, expect=(200, 412))
        if answer.status_code == 412:
            return self._give_up()
        if step.twice:
            self._send_again(path, body, key, etag, answer.content)
        self.done += 1
        if step.by_customer:
            self.state, self.events = answer.json()["state"], self.events + 1
        else:
            self._heard(answer.json())
        if self.next is None:
            self._check_end()
        return step.note or ""

    def _heard(self, job: dict[str, Any]) -> None:
        self.state, self._etag = job["state"], f'"{job["version"]}"'
        self.events += 1

    def _send_again(
        self, path: str, body: dict[str, Any], key: str, etag: str | None, first: bytes
    ) -> None:
        again = self.client.post(path, body, key=key, etag=etag)
        replayed = again.headers.get("idempotency-replayed")
        check(
            again.content == first and replayed == "true",
            f"A request repeated with its key got another answer: {again.text} instead of {first!r}",
        )
        self.sent_twice += 1

    def _give_up(self) -> str:
        """Somebody else changed the job: look at it, and leave it alone if that was a cancel."""
        found = self.client.get(f"{self.client.jobs}/{self.id}").json()
        check(found["state"] == "Canceled", f"Job {self.number} changed behind its worker: {found}")
        self.outrun += 1
        self.done = len(self.plan.steps)
        self._check_end()
        return "its worker was told that it is out of date, looked, and let go"

    def _check_end(self) -> None:
        ends = self.plan.ends
        check(self.state == ends, f"Job {self.number} is {self.state}; it should be {ends}.")


def step_body(step: Step, claim: datetime | None) -> dict[str, Any]:
    """A step as the API takes it."""
    body: dict[str, Any] = {"event": step.event, **step.fields}
    if step.note:
        body["note"] = step.note
    if claim is not None:
        body["occurred_at"] = claim.isoformat()
    return body
