"""The checker finds each kind of broken promise when it is seeded, and nothing in a log that keeps them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest

from ledger import events
from ledger.events import Event, Recorded
from tests.checker import Finding, Verdict, check
from tests.histories import ANN, START
from tests.journal import Journal, Line, Looked, Outcome, Said, Saw, Sent, Told, read

CREATED = events.Created(type="t", owner="o", number=1)


@dataclass
class Case:
    """A log that keeps every promise, and the journals that go with it."""

    log: list[Recorded]
    lines: list[Line]

    def check(self) -> Verdict:
        return check(self.log, self.lines)

    def told(self, operation: str) -> int:
        """The index of the last line that told of it."""
        lines = enumerate(self.lines)
        return max(n for n, one in lines if isinstance(one, Told) and one.operation == operation)

    def renumber(self) -> None:
        self.log[:] = [r._replace(position=n) for n, r in enumerate(self.log, start=1)]


def fields(event: Event) -> dict[str, object]:
    return event.model_dump(mode="json", exclude_defaults=True)


@pytest.fixture
def case() -> Case:
    """Twenty clients' jobs, one operation after another: create (3 events), note, and an end that is unknown for odd jobs."""
    log: list[Recorded] = []
    lines: list[Line] = []
    clock = count(1)

    def operate(
        name: str, job: UUID, first_version: int, said: list[Event], outcome: Outcome
    ) -> None:
        asked = tuple(
            Said(one.TOPIC, fields(one), None if name[0] == "c" else str(job)) for one in said
        )
        lines.append(Sent(name, asked, next(clock)))
        for nth, event in enumerate(said):
            position = len(log) + 1
            moment = START + timedelta(seconds=position)
            envelope = ANN._replace(note=name)
            version = first_version + nth
            log.append(
                Recorded(position, UUID(int=position), job, version, moment, envelope, event)
            )
        lines.append(Told(name, outcome, next(clock), len(log) if outcome is Outcome.OK else None))

    for nth in range(1, 21):
        job = UUID(int=1_000 + nth)
        created = CREATED.model_copy(update={"number": nth})
        life: list[Event] = [created, events.Queued(), events.Started()]
        operate(f"c{nth}", job, 1, life, Outcome.OK)
        operate(f"n{nth}", job, 4, [events.Progressed(progress=0.1)], Outcome.OK)
        operate(f"e{nth}", job, 5, [events.Succeeded()], Outcome.UNKNOWN if nth % 2 else Outcome.OK)
        for name, outcome in ((f"f{nth}", Outcome.FAIL), (f"u{nth}", Outcome.UNKNOWN)):
            lines.append(Sent(name, (Said("job.noted"),), next(clock)))
            lines.append(Told(name, outcome, next(clock)))
        ended = {"state": "Succeeded", "version": 5, "attempts": 1}
        lines.append(Looked(str(job), len(log), ended))
        lines.append(Looked(str(job), len(log) - 2, {"state": "Processing", "progress": 0.0}))
        lines.append(Looked(str(job), len(log) - 5, None))
    whole = tuple((r.position, str(r.event_id)) for r in log)
    lines += [Saw("all", whole[:50]), Saw("all", whole[50:]), Saw("some", whole[:7])]
    # An operation that was unknown, sent again under its key, and then answered.
    lines += [Sent("e1", (), next(clock)), Told("e1", Outcome.OK, next(clock), 5)]
    return Case(log, lines)


def test_a_log_that_keeps_its_promises(case: Case) -> None:
    verdict = case.check()
    assert verdict.findings == []
    assert verdict.counts == {
        "events": 100,
        "operations": 100,
        "looks": 60,
        "followed": 107,
        "acknowledged": 51,
        "refused": 20,
        "unknown": 29,
        "unknown and saved": 9,
    }


def lose(case: Case) -> None:
    case.log = [r for r in case.log if r.note != "e20"]


def lose_in_the_middle(case: Case) -> None:
    del case.log[24]


def double(case: Case) -> None:
    last = case.log[-1]
    again = events.Noted()
    case.log.append(last._replace(position=101, version=6, event_id=UUID(int=101), event=again))


def alter(case: Case) -> None:
    case.log[3] = case.log[3]._replace(event=events.Progressed(progress=0.2))


def retype(case: Case) -> None:
    case.log[99] = case.log[99]._replace(event=events.Canceled())


def move_to_another_job(case: Case) -> None:
    case.lines[2] = Sent("n1", (Said("job.progressed", {"progress": 0.1}, str(UUID(int=7))),), 3)


def haunt(case: Case) -> None:
    case.lines[case.told("n3")] = Told("n3", Outcome.FAIL, 10_000)


def invent(case: Case) -> None:
    case.log[99] = case.log[99]._replace(envelope=ANN._replace(note="nobody's"))


def forget_the_note(case: Case) -> None:
    case.log[99] = case.log[99]._replace(envelope=ANN)


def halve(case: Case) -> None:
    case.log[2] = case.log[2]._replace(envelope=ANN._replace(note="u1"))


def interleave(case: Case) -> None:
    case.log[2], case.log[5] = case.log[5], case.log[2]
    case.renumber()


def contradict(case: Case) -> None:
    case.lines.append(Told("c5", Outcome.OK, 10_000, 777))


def deny(case: Case) -> None:
    case.lines.append(Told("c5", Outcome.FAIL, 10_000))


def overtake(case: Case) -> None:
    """The first job's events, acknowledged before any other was sent, move to the end of the log."""
    case.log = case.log[5:] + case.log[:5]
    case.renumber()


def punch_a_hole(case: Case) -> None:
    case.log[50:] = [r._replace(position=r.position + 1) for r in case.log[50:]]


def turn_back_time(case: Case) -> None:
    case.log[50] = case.log[50]._replace(recorded_at=START)


def skip_a_version(case: Case) -> None:
    case.log[4] = case.log[4]._replace(version=6)


def break_the_rules(case: Case) -> None:
    case.log[1] = case.log[1]._replace(event=events.Succeeded())


def begin_in_the_middle(case: Case) -> None:
    case.log[0] = case.log[0]._replace(event=events.Queued())


def repeat_an_id(case: Case) -> None:
    case.log[7] = case.log[7]._replace(event_id=case.log[6].event_id)


def follow(*positions: int) -> Callable[[Case], None]:
    def seed(case: Case) -> None:
        case.lines.append(Saw("bad", tuple((n, str(UUID(int=n))) for n in positions)))

    return seed


def misread(case: Case) -> None:
    case.lines.append(Saw("bad", ((1, str(UUID(int=1))), (2, str(UUID(int=99))))))


def look(position: int, seen: dict[str, object] | None, job: int = 1_001) -> Callable[[Case], None]:
    def seed(case: Case) -> None:
        case.lines.append(Looked(str(UUID(int=job)), position, seen))

    return seed


SEEDED: dict[str, tuple[Callable[[Case], None], Finding]] = {
    "the tail is lost": (lose, Finding.LOST),
    "the tail is lost, and a follower had it": (lose, Finding.MISREAD),
    "one is lost in the middle": (lose_in_the_middle, Finding.HOLE),
    "an effect twice": (double, Finding.DOUBLED),
    "a field altered": (alter, Finding.ALTERED),
    "a topic altered": (retype, Finding.ALTERED),
    "another job's": (move_to_another_job, Finding.ALTERED),
    "refused and there": (haunt, Finding.GHOST),
    "nobody's event": (invent, Finding.UNINVITED),
    "an event without a name": (forget_the_note, Finding.UNINVITED),
    "half a batch": (halve, Finding.PARTIAL),
    "a batch with others in it": (interleave, Finding.PARTIAL),
    "two answers": (contradict, Finding.CONTRADICTED),
    "ok, then fail": (deny, Finding.CONTRADICTED),
    "out of order": (overtake, Finding.OVERTAKEN),
    "a hole": (punch_a_hole, Finding.HOLE),
    "time runs back": (turn_back_time, Finding.BACKWARDS),
    "a version missing": (skip_a_version, Finding.VERSION),
    "not allowed": (break_the_rules, Finding.ILLEGAL),
    "not begun": (begin_in_the_middle, Finding.ILLEGAL),
    "one id twice": (repeat_an_id, Finding.TWICE),
    "a follower skips": (follow(1, 2, 4), Finding.SKIPPED),
    "a follower skips the first": (follow(2, 3), Finding.SKIPPED),
    "a follower sees again": (follow(1, 2, 2, 3), Finding.REPEATED),
    "a follower sees in another order": (follow(1, 3, 2, 4), Finding.REPEATED),
    "a follower sees beyond the end": (follow(*range(1, 102)), Finding.MISREAD),
    "a follower sees another event": (misread, Finding.MISREAD),
    "a reader sees the past": (look(5, {"state": "Processing"}), Finding.STALE),
    "a reader sees the future": (look(1, {"state": "Queued"}), Finding.STALE),
    "a reader sees nothing": (look(5, None), Finding.STALE),
    "a reader sees what is not": (look(100, {"state": "Created"}, job=9), Finding.STALE),
    "a reader sees a field nobody knows": (look(5, {"mood": "good"}), Finding.STALE),
    "a reader is ahead of the log": (look(101, {"state": "Succeeded"}), Finding.STALE),
}


@pytest.mark.parametrize("seed", SEEDED)
def test_each_seeded_violation_is_found(case: Case, seed: str) -> None:
    plant, finding = SEEDED[seed]
    plant(case)
    assert finding in case.check().kinds


def test_every_kind_of_finding_is_seeded() -> None:
    assert {finding for _, finding in SEEDED.values()} == set(Finding)


def test_a_journal_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "client.jsonl"
    said = (
        Said("job.created", {"type": "ä\n", "detail": {"z": [1, 0.5], "a": None}}),
        Said("job.queued", job="j"),
    )
    with Journal(path) as journal:
        journal.sent("o1", said)
        journal.told("o1", Outcome.OK, {"position": 2})
        journal.saw("f", [(1, "a"), (2, "b")])
        journal.looked("j", 2, {"state": "Queued"})
        journal.looked("k", 2, None)
    sent, told, saw, looked, missing = read(path)
    assert isinstance(sent, Sent)
    assert isinstance(told, Told)
    assert (sent.operation, sent.said) == ("o1", said)
    assert (told.outcome, told.answer) == (Outcome.OK, {"position": 2})
    assert sent.at_ns <= told.at_ns
    assert saw == Saw("f", ((1, "a"), (2, "b")))
    assert [looked, missing] == [Looked("j", 2, {"state": "Queued"}), Looked("k", 2, None)]


def test_a_line_cut_short_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "client.jsonl"
    with Journal(path) as journal:
        journal.sent("o1", ())
        journal.sent("o2", ())
    for cut in range(1, 40):
        path.write_bytes(path.read_bytes()[:-1])
        assert [line.operation for line in read(path) if isinstance(line, Sent)] == ["o1"], cut
