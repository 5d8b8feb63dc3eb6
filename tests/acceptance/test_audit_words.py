"""What an auditor's words mean, to the letter: which ends of a span count, what an action is, when a stay counts, whose percentiles, and what becomes
of the answers once a person was erased; over HTTP, and the same on the command line.

Invariants: times are times of record, but how long a stay lasted is told by what the events claim. Seen red: a `from` that has not come (everything
was told), `as_of_kind=occurred` (it was passed over), a `from` behind its `to`, durations below zero."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from uuid_utils.compat import uuid7

from api.dialects.native.audit import KINDS
from api.operation import Scope
from tests.fix_command import Command
from tests.fix_log import eventually
from tests.fix_server import LiveServer

AUDITOR = (Scope.AUDIT_READ,)
WRITER = (Scope.JOBS_READ, Scope.JOBS_WRITE)
Json = dict[str, Any]


class Case:
    """A project of its own, whoever writes in it, and its auditor."""

    def __init__(self, server: LiveServer) -> None:
        self.server, self.project = server, f"words-{uuid7()}"
        self.url = f"/v1/projects/{self.project}"
        self.auditor = server.client_of(self.project, AUDITOR)
        self.ann = self.writer("ann")

    def writer(self, name: str) -> httpx.Client:
        return self.server.client_of(self.project, WRITER, name=name)

    def job(self, **fields: Any) -> str:
        made = self.ann.post(f"{self.url}/jobs", json={"type": "T", **fields})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def happens(self, job: str, event: str, who: httpx.Client | None = None, **more: Any) -> Json:
        """Says so, and answers the event as it was recorded."""
        said = (who or self.ann).post(
            f"{self.url}/jobs/{job}/events", json={"event": event, **more}
        )
        assert said.status_code == 200, said.text
        return self.events(job)[-1]

    def events(self, job: str) -> list[Json]:
        found: list[Json] = self.ann.get(f"{self.url}/jobs/{job}/events").json()["events"]
        return found

    def asked(self, kind: str, **words: Any) -> list[Json]:
        """All pages of an answer."""
        found: list[Json] = []
        path: str | None = f"{self.url}/audit/{kind}"
        given = {name.rstrip("_"): word for name, word in words.items()}
        while path is not None:
            answer = self.auditor.get(path, params=given or None)
            assert answer.status_code == 200, answer.text
            found += answer.json()["events" if kind == "actions" else "rows"]
            path, given = answer.json()["next"], {}
        return found

    def refused(self, kind: str, field: str, **words: Any) -> None:
        given = {name.rstrip("_"): word for name, word in words.items()}
        answer = self.auditor.get(f"{self.url}/audit/{kind}", params=given)
        assert answer.status_code == 422, answer.text
        assert [one["field"] for one in answer.json()["errors"]] == [field]


@pytest.fixture
def case(shared_server: LiveServer) -> Case:
    return Case(shared_server)


def beside(at: str, microseconds: int) -> str:
    return (datetime.fromisoformat(at) + timedelta(microseconds=microseconds)).isoformat()


def test_who_canceled_what_whichever_way_it_was_said(case: Case) -> None:
    """By one event, in a batch, by GeoOp's DELETE, by another key of the same name: each with actor, credential, time and note."""
    again, bob = case.writer("ann"), case.writer("bob")
    jobs = [case.job() for _ in range(6)]
    case.happens(jobs[0], "canceled", note="one")
    batch = [{"job": job, "event": "canceled", "note": "batch"} for job in jobs[1:3]]
    assert bob.post(f"{case.url}/events", json={"events": batch}).status_code == 200
    assert bob.delete(f"/jobs/{case.ann.get(f'{case.url}/jobs/{jobs[3]}').json()['number']}").status_code == 200  # fmt: skip
    case.happens(jobs[4], "canceled", again, note="other key")
    case.happens(jobs[4], "canceled")  # once more: nothing was done, so no action
    case.happens(jobs[5], "noted", note="canceled")
    found = case.asked("actions", event="job.canceled", limit=2)
    assert [(one["actor"], one["job"]) for one in found] == [
        *(("ann", jobs[0]), ("bob", jobs[1]), ("bob", jobs[2]), ("bob", jobs[3]), ("ann", jobs[4]))
    ]
    assert [one["note"] for one in found if one["job"] != jobs[3]] == [
        *("one", "batch", "batch", "other key")
    ]
    keys = [one["credential_id"] for one in found]
    assert len(set(keys)) == 3
    assert keys[0] != keys[4], "one name, two keys"
    assert all(one["recorded_at"] for one in found)
    # A name is everything that its keys did; a credential only what was done by it.
    assert case.asked("actions", event="job.canceled", actor="ann") == [found[0], found[4]]
    assert case.asked("actions", credential_id=keys[4]) == [found[4]]
    assert len(case.asked("actions", actor="ann")) == len(jobs) + 3
    assert case.asked("actions", actor="an") == case.asked("actions", actor="ANN") == []


def test_both_ends_of_a_span_count(case: Case) -> None:
    told = [case.happens(case.job(), "canceled") for _ in range(3)]
    first, last = told[0]["recorded_at"], told[2]["recorded_at"]

    def canceled(**span: str) -> list[str]:
        return [one["job"] for one in case.asked("actions", event="job.canceled", **span)]

    jobs = [one["job"] for one in told]
    assert canceled(from_=first, to=last) == jobs
    assert canceled(from_=beside(first, 1), to=last) == jobs[1:]
    assert canceled(from_=first, to=beside(last, -1)) == jobs[:2]
    assert canceled(from_=last, to=last) == jobs[2:]
    assert canceled(from_=first[:10]) == jobs, "a date is its first moment"
    assert canceled(to=first[:10]) == []


def test_what_has_not_come_is_not_told(case: Case) -> None:
    """A time to come as `to` is the end of what is known; as `from` there is nothing behind it."""
    job = case.job()
    case.happens(job, "queued")
    future = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert len(case.asked("actions", to=future)) == 2
    assert case.asked("actions", from_=future) == []
    assert case.asked("durations", from_=future) == []
    assert case.asked("stays", state="Created", from_=future) == []
    # It is still Queued, and nobody knows of another end.
    assert [one["job"] for one in case.asked("stays", state="Queued", from_=future)] == [job]
    assert case.asked("refusals", from_=future) == []


def test_spans_and_words_that_make_no_sense_are_refused(case: Case) -> None:
    early, late = "2024-05-01", "2024-05-02"
    for kind, _, words in KINDS:
        state = {"state": "Created"} if "state" in words else {}
        if "from" in words:
            case.refused(kind, "from", from_=late, to=early, **state)
            assert case.asked(kind, from_=early, to=early, **state) == []
            case.refused(kind, "to", to="soon", **state)
        if kind != "refusals":
            occurred = {"as_of": early, "as_of_kind": "occurred"}
            case.refused(kind, "as_of_kind", **occurred, **state)
            case.refused(kind, "as_of", as_of=10**12, **state)
        else:
            case.refused(kind, "as_of", as_of=1)
    case.refused("stays", "state")
    case.refused("stuck", "longer_than", state="Created", longer_than="1e3")
    case.refused("stuck", "longer_than", state="Created", longer_than=10**12)
    case.refused("durations", "after", after=1)


def test_a_stay_counts_that_touches_the_span(case: Case) -> None:
    """A state that was left and entered again is two stays; the moment at which one was left is its last."""
    job = case.job()
    case.happens(job, "queued")
    begun = case.happens(job, "started")
    failed = case.happens(job, "failed", final=False)
    case.happens(job, "noted", note="nothing moves")
    case.happens(job, "queued")
    again = case.happens(job, "started")
    end = case.happens(job, "succeeded")
    first, second = begun["position"], again["position"]

    def processing(**span: Any) -> list[tuple[int, int | None]]:
        rows = case.asked("stays", state="Processing", limit=1, **span)
        assert {one["job"] for one in rows} <= {job}
        return [(one["position"], one["left_position"]) for one in rows]

    assert processing() == [(first, failed["position"]), (second, end["position"])]
    left = failed["recorded_at"]
    assert processing(to=left) == [(first, failed["position"])]
    assert processing(from_=left, to=left) == [(first, failed["position"])]
    assert processing(from_=beside(left, 1)) == [(second, end["position"])]
    assert processing(from_=beside(left, 1), to=beside(again["recorded_at"], -1)) == []
    entered = begun["recorded_at"]
    assert processing(to=beside(entered, -1)) == []
    assert processing(from_=entered, to=entered) == [(first, failed["position"])]
    # As of a position, what came later had not come: the first had not been left.
    assert processing(as_of=failed["position"] - 1) == [(first, None)]
    assert processing(as_of=second) == [(first, failed["position"]), (second, None)]
    stuck = {"state": "Processing", "longer_than": 0}
    assert case.asked("stuck", **stuck) == []
    [there] = case.asked("stuck", **stuck, as_of=second)
    assert (there["job"], there["position"]) == (job, second)


def test_stuck_is_for_so_long_or_longer(case: Case) -> None:
    """Measured by the record, whatever the events claim, up to now, or up to the moment that is asked about."""
    old = case.job(occurred_at="2001-01-01T00:00:00Z")
    [entered] = case.events(old)
    assert case.asked("stuck", state="Created", longer_than=60) == [], "the claim does not count"
    at = datetime.fromisoformat(entered["recorded_at"])

    def stuck(seconds: int, moment: datetime) -> list[str]:
        rows = case.asked("stuck", state="Created", longer_than=seconds, as_of=moment.isoformat())
        return [one["job"] for one in rows]

    eventually(lambda: datetime.now(UTC) > at + timedelta(seconds=1.2), "a second passed")
    assert stuck(1, at + timedelta(seconds=1)) == [old]
    assert stuck(1, at + timedelta(seconds=1, microseconds=-1)) == []
    assert stuck(0, at) == [old]


def test_durations_are_what_the_events_claim(case: Case) -> None:
    """Nearest-rank percentiles of the stays that ended; claims that run backwards are no time, and a stay that goes on is counted apart."""
    start = datetime(2024, 5, 1, tzinfo=UTC)

    def says(job: str, event: str, seconds: float) -> None:
        case.happens(job, event, occurred_at=(start + timedelta(seconds=seconds)).isoformat())

    for waited in (1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000):
        job = case.job(type="P", occurred_at=start.isoformat())
        says(job, "queued", waited)
    back = case.job(type="Q", occurred_at=(start + timedelta(hours=1)).isoformat())
    says(back, "queued", 0)
    says(back, "started", 30)
    rows = {(one["type"], one["state"]): one for one in case.asked("durations")}
    assert rows["P", "Created"] == {
        "type": "P",
        "state": "Created",
        "stays": 10,
        "ended": 10,
        "p50_s": 5.0,
        "p90_s": 9.0,
        "p99_s": 1_000.0,
        "max_s": 1_000.0,
    }
    goes_on = dict.fromkeys(("p50_s", "p90_s", "p99_s", "max_s"))
    assert (
        rows["P", "Queued"] == {"type": "P", "state": "Queued", "stays": 10, "ended": 0} | goes_on
    )
    assert (rows["Q", "Created"]["p50_s"], rows["Q", "Queued"]["p50_s"]) == (0.0, 30.0)
    # Which stays count is a matter of the record; so is what had ended as of a position.
    assert case.asked("durations", to="2024-06-01") == []
    assert [one["type"] for one in case.asked("durations", type="Q", state="Queued")] == ["Q"]
    before = case.events(back)[1]["position"]
    [queued] = case.asked("durations", type="Q", state="Queued", as_of=before)
    assert (queued["stays"], queued["ended"], queued["p50_s"]) == (1, 0, None)


def test_an_erased_actor_and_the_command(command: Command) -> None:
    """What was done stays told, under the mark; a name that is nowhere any more finds nothing. The command says what the API says."""
    serving = command.serve()
    scopes = ("--scope", "jobs:read", "--scope", "jobs:write", "--scope", "audit:read")
    ann = command.answer("keys", "create", "--project", "p", *scopes, "--name", "ann@example.org")
    ops = command.answer("keys", "create", "--project", "p", *scopes, "--name", "ops")
    job = serving.create_job(ann["key"])["id"]
    with serving.client(ann["key"]) as api:
        said = api.post(f"/v1/projects/p/jobs/{job}/events", json={"event": "canceled"})
        assert said.status_code == 200
        assert api.post(f"/v1/projects/p/jobs/{job}/events", json={"event": "queued"}).status_code == 409  # fmt: skip
    assert command("keys", "revoke", ann["key_id"], "--reason", "left").returncode == 0  # fmt: skip
    asked = ("--by", "dpo", "--reason", "request 17")
    erased = command("erase", "-p", "p", "--subject", "ann@example.org", *asked)
    assert erased.returncode == 0, erased.stderr
    with serving.client(ops["key"]) as api:
        for words in (
            {"actor": "ann@example.org"},
            {"actor": "[erased]"},
            {"event": "job.canceled"},
            {"credential_id": ann["key_id"]},
            {"event": "job.erased", "as_of": "3"},
        ):
            pairs = [f"{name}={word}" for name, word in words.items()]
            told = command.answer("audit", "actions", "--project", "p", *pairs)
            found = api.get("/v1/projects/p/audit/actions", params=words).json()["events"]
            assert told["events"] == found
            who = [(one["event"], one["actor"]) for one in found]
            last = ("job.erased", "dpo") if "as_of" in words else ("job.canceled", "[erased]")
            assert who[-1:] == ([] if words == {"actor": "ann@example.org"} else [last])
        for kind, words in (
            ("stays", {"state": "Canceled"}),
            ("stuck", {"state": "Canceled", "longer_than": "0"}),
            ("durations", {"type": "VirtualServer"}),
            ("refusals", {"code": "illegal_transition"}),
        ):
            pairs = [f"{name}={word}" for name, word in words.items()]
            told = command.answer("audit", kind, "--project", "p", *pairs)
            found = api.get(f"/v1/projects/p/audit/{kind}", params=words).json()["rows"]
            assert told["rows"] == found
            assert "ann@example.org" not in str(found)
            assert len(found) == (2 if kind == "durations" else 1)
    for wrong in (("from=2024-05-02", "to=2024-05-01"), ("as_of=1", "as_of_kind=occurred")):
        done = command("audit", "actions", "--project", "p", *wrong)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert serving.end() == 0
