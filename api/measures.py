"""Figures for Prometheus: requests, refusals, commits and how far the read models are.

Invariants: names and labels are for ever, since dashboards hold them; no label takes a value from a client; what is counted with each request
is a number here, and becomes the client library's when it is asked for: all of it is counted on the event loop, where nobody waits for a lock.
Units: seconds, events, positions."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import INF, floatToGoString

from api.dialects.dialect import Dialect
from api.operation import Operation
from ledger.errors import LedgerError

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, INF)


@dataclass(slots=True)
class _Answers:
    """What one operation answered: how many of each status, and how many took no longer than each of _SECONDS, and longer than that before it."""

    statuses: dict[int, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * len(_SECONDS))
    seconds: float = 0.0


class _Requests(Collector):
    """The figures of requests, and of what they appended. Answers are kept by dialect and operation."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], _Answers] = {}
        self.events = 0
        self._began_s = time.time()

    def of(self, dialect: str, operation: str) -> _Answers:
        """As many as there are operations: nothing of a client is in them."""
        found = self.answers.get((dialect, operation))
        if found is None:
            found = self.answers[dialect, operation] = _Answers()
        return found

    def collect(self) -> Iterator[Metric]:
        """As the client library has them."""
        requests = CounterMetricFamily(
            "jobledger_requests", "Requests answered.", labels=("dialect", "operation", "status")
        )
        seconds = HistogramMetricFamily(
            "jobledger_request_seconds",
            "Time from the request's head to its answer.",
            labels=("dialect", "operation"),
        )
        for labels, answers in self.answers.items():
            for status, count in answers.statuses.items():
                requests.add_metric((*labels, str(status)), count, created=self._began_s)
            if any(answers.buckets):
                rows = zip(map(floatToGoString, _SECONDS), accumulate(answers.buckets), strict=True)
                seconds.add_metric(labels, list(rows), answers.seconds)
                named = {"dialect": labels[0], "operation": labels[1]}
                seconds.add_sample("jobledger_request_seconds_created", named, self._began_s)
        events = CounterMetricFamily(
            "jobledger_appended_events", "Events appended by this process.", labels=()
        )
        events.add_metric((), self.events, created=self._began_s)
        yield requests
        yield seconds
        yield events


class Measures:
    """The figures of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._queue()
        self._seal()
        self._requests = _Requests()
        self.registry.register(self._requests)
        self._brief: dict[tuple[str, str], Counter] = {}
        self._refusals = Counter(
            "jobledger_refusals",
            "Requests refused, by the ledger's code.",
            ("dialect", "code"),
            registry=self.registry,
        )
        self._lists()
        self.under_way = self._gauge(
            "jobledger_requests_under_way", "Requests that hold a place in this process."
        )
        self.bodies_bytes = self._gauge(
            "jobledger_bodies_bytes", "Bytes of the bodies of requests under way in this process."
        )
        self.position = self._gauge("jobledger_position", "The position of the last event.")
        self.reached = self._gauge(
            "jobledger_projection_position",
            "The position a read model has reached.",
            ("projection",),
        )
        self.lag = self._gauge(
            "jobledger_projection_lag", "Events a read model is behind.", ("projection",)
        )
        self.stopped = self._gauge(
            "jobledger_projection_stopped",
            "1 when a read model stopped at an event it cannot read.",
            ("projection",),
        )

    def _queue(self) -> None:
        self.turns_waiting = self._gauge(
            "jobledger_requests_waiting", "Requests that wait for a place in this process."
        )
        self.waiting = self._gauge("jobledger_commit_waiting", "Writes waiting for a commit.")

    def _lists(self) -> None:
        listed = Counter(
            "jobledger_listed_jobs",
            "Jobs in lists, by whether how they are said was remembered.",
            ("remembered",),
            registry=self.registry,
        )
        self._remembered, self._read = listed.labels("yes"), listed.labels("no")
        self.lately_bytes = self._gauge(
            "jobledger_lately_bytes", "Bytes of what is remembered of how jobs were said in lists."
        )

    def _seal(self) -> None:
        self.signed = self._gauge(
            "jobledger_checkpoint_position", "The position that the last checkpoint covers."
        )
        self.unsigned = self._gauge(
            "jobledger_checkpoint_lag", "Events that no checkpoint protects yet."
        )
        self.refused_checkpoint = self._gauge(
            "jobledger_checkpoint_stopped", "1 while the notary refuses to sign."
        )

    def _gauge(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def answered(
        self, dialect: Dialect, operation: Operation | None, status: int, seconds: float
    ) -> None:
        """Count one answer."""
        answers = self._requests.of(dialect.name, operation.id if operation else "none")
        answers.statuses[status] = answers.statuses.get(status, 0) + 1
        answers.buckets[bisect_left(_SECONDS, seconds)] += 1
        answers.seconds += seconds

    def refused(self, dialect: Dialect, error: LedgerError) -> None:
        """Count one refusal."""
        self._refusals.labels(dialect.name, error.code).inc()

    def brief(self, dialect: Dialect, error: LedgerError, status: int) -> None:
        """Count one request that was refused at its head; it took no time worth telling."""
        statuses = self._requests.of(dialect.name, "none").statuses
        statuses[status] = statuses.get(status, 0) + 1
        counted = self._brief.get((dialect.name, error.code))
        if counted is None:
            counted = self._refusals.labels(dialect.name, error.code)
            self._brief[dialect.name, error.code] = counted
        counted.inc()

    def appended(self, events: int) -> None:
        """Count events of one commit."""
        self._requests.events += events

    def listed(self, remembered: int, read: int) -> None:
        """Count the jobs of one list, by where their words came from."""
        self._remembered.inc(remembered)
        self._read.inc(read)

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self.registry)
