"""Figures for Prometheus: requests, refusals, commits and how far the read models are.

Invariants: names and labels are for ever, since dashboards hold them; no label takes a value from a client.
Units: seconds, events, positions."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from api.dialects.dialect import Dialect
from api.operation import Operation
from ledger.errors import LedgerError

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Measures:
    """The figures of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._queue()
        self._seal()
        self._answered: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._brief: dict[tuple[str, str], tuple[Counter, Counter]] = {}
        self._requests = Counter(
            "jobledger_requests",
            "Requests answered.",
            ("dialect", "operation", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "jobledger_request_seconds",
            "Time from the request's head to its answer.",
            ("dialect", "operation"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._refusals = Counter(
            "jobledger_refusals",
            "Requests refused, by the ledger's code.",
            ("dialect", "code"),
            registry=self.registry,
        )
        self._events = Counter(
            "jobledger_appended_events", "Events appended by this process.", registry=self.registry
        )
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
        known = (dialect.name, operation.id if operation else "none", status)
        counted = self._answered.get(known)
        if counted is None:
            # As many as there are operations and statuses: nothing of a client is in them.
            requests = self._requests.labels(dialect.name, known[1], str(status))
            counted = (requests, self._seconds.labels(dialect.name, known[1]))
            self._answered[known] = counted
        counted[0].inc()
        counted[1].observe(seconds)

    def refused(self, dialect: Dialect, error: LedgerError) -> None:
        """Count one refusal."""
        self._refusals.labels(dialect.name, error.code).inc()

    def brief(self, dialect: Dialect, error: LedgerError, status: int) -> None:
        """Count one request that was refused at its head; it took no time worth telling."""
        counted = self._brief.get((dialect.name, error.code))
        if counted is None:
            requests = self._requests.labels(dialect.name, "none", str(status))
            counted = (requests, self._refusals.labels(dialect.name, error.code))
            self._brief[(dialect.name, error.code)] = counted
        counted[0].inc()
        counted[1].inc()

    def appended(self, events: int) -> None:
        """Count events of one commit."""
        self._events.inc(events)

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self.registry)
