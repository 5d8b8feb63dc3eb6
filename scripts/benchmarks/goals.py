"""GOALS: what is to be reached, and against what. CONTESTANTS: who can be measured.

Invariants: a goal is a ratio of two contestants in the same run, never a bare figure; goals of one name share their scene and their rounds.
Units: a ratio has none; `rate` is per second, `p50_ms` the median latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scripts.benchmarks import (
    appending,
    calm,
    committing,
    crash,
    folding,
    importing,
    paging,
    peers,
    pgbench,
    reading,
    sealing,
    starting,
    stock,
    visible,
)
from scripts.benchmarks.slot import Contestant

CONTESTANTS: Final[Mapping[str, Contestant]] = {
    "pgbench-32": Contestant("pgbench, 32 clients", "events", pgbench.inserts(32)),
    "stock": Contestant("the library's get + save", "events", stock.get_and_save),
    "commit-32": Contestant("committer, 32 callers", "events", committing.callers(32)),
    "commit-128": Contestant("committer, 128 callers", "events", committing.callers(128)),
    "append-32": Contestant("HTTP, 32 connections, respond-async", "events", appending.product(32, waits=False)),
    "append-64": Contestant("HTTP, 2 workers, 64 connections, respond-async", "events", appending.product(64, waits=False, workers=2)),
    "append-minimal-32": Contestant(
        "HTTP, 32 connections, respond-async, return=minimal", "events", appending.product(32, waits=False, minimal=True)
    ),
    "append-minimal-64": Contestant(
        "HTTP, 2 workers, 64 connections, respond-async, return=minimal", "events", appending.product(64, waits=False, minimal=True, workers=2)
    ),
    "append-wait-128": Contestant("HTTP, 128 connections, default wait", "events", appending.product(128, waits=True)),
    "append-1": Contestant("HTTP, 1 connection, respond-async", "events", appending.product(1, waits=False)),
    "append-minimal-1": Contestant("HTTP, 1 connection, respond-async, return=minimal", "events", appending.product(1, waits=False, minimal=True)),
    "bare-insert-1": Contestant("bare insert route, 1 connection", "events", appending.bare(1)),
    "bare-insert-32": Contestant("bare insert route, 32 connections", "events", appending.bare(32)),
    "import": Contestant("import, CSV", "events", importing.further, whole=True),
    "import-first": Contestant("import, CSV, into an empty ledger", "events", importing.first, whole=True),
    "import-short": Contestant("the command on a table of a fifth of a batch", "events", importing.peak(1), whole=True),
    "import-long": Contestant("the command on a table eight times as long", "events", importing.peak(8), whole=True),
    "copy": Contestant("binary COPY of the same events", "events", importing.copied_further, whole=True),
    "copy-first": Contestant("binary COPY into an empty table", "events", importing.copied_first, whole=True),
    "follow": Contestant("live catch-up, all read models", "events", folding.followed(), whole=True),
    "follow-jobs": Contestant("live catch-up, jobs", "events", folding.followed("jobs"), whole=True),
    "follow-states": Contestant("live catch-up, job_states", "events", folding.followed("job_states"), whole=True),
    "follow-counts": Contestant("live catch-up, job_counts", "events", folding.followed("job_counts"), whole=True),
    "follow-revisions": Contestant("live catch-up, job_revisions", "events", folding.followed("job_revisions"), whole=True),
    "build-revisions": Contestant("build from zero, job_revisions", "events", folding.built("job_revisions"), whole=True),
    "set-revisions": Contestant("one statement", "events", folding.set_based("job_revisions"), whole=True),
    "build": Contestant("build from zero, all read models", "events", folding.built(), whole=True),
    "build-jobs": Contestant("build from zero, jobs", "events", folding.built("jobs"), whole=True),
    "build-states": Contestant("build from zero, job_states", "events", folding.built("job_states"), whole=True),
    "build-counts": Contestant("build from zero, job_counts", "events", folding.built("job_counts"), whole=True),
    "set": Contestant("one statement each", "events", folding.set_based(), whole=True),
    "set-jobs": Contestant("one statement", "events", folding.set_based("jobs"), whole=True),
    "set-states": Contestant("one statement", "events", folding.set_based("job_states"), whole=True),
    "set-counts": Contestant("one statement", "events", folding.set_based("job_counts"), whole=True),
    "stock-run": Contestant("the library's ProjectionRunner, one row a job", "events", stock.followed, whole=True),
    "visible": Contestant("commit to visible at half of the peak", "events", visible.at_half_load),
    "calm-get": Contestant("get at 300/s", "requests", calm.asked("get", rebuilding=False)),
    "calm-get-rebuild": Contestant("the same beside a rebuild", "requests", calm.asked("get", rebuilding=True)),
    "calm-append": Contestant("append at 300/s", "events", calm.asked("append", rebuilding=False)),
    "calm-append-rebuild": Contestant("the same beside a rebuild", "events", calm.asked("append", rebuilding=True)),
    "append-sealed": Contestant("the same, sealed each half second", "events", sealing.appended),
    "verify": Contestant("audit of the whole log", "events", sealing.verified, whole=True),
    "read-rows": Contestant("reading the same rows", "events", sealing.read, whole=True),
    "crash": Contestant("kill -9 of all in mid-load", "events", crash.killed, whole=True),
    "get-1-small": Contestant("get among 1 k jobs, 1 connection", "requests", reading.get(1, "4k")),
    "get-1": Contestant("get, 1 connection", "requests", reading.get(1)),
    "get-32": Contestant("get, 32 connections", "requests", reading.get(32)),
    "bare-get-1": Contestant("bare get route, 1 connection", "requests", reading.bare_get(1)),
    "bare-get-32": Contestant("bare get route, 32 connections", "requests", reading.bare_get(32)),
    "list-1": Contestant("native list of 50, 1 connection", "requests", reading.listed(1)),
    "list-32": Contestant("native list of 50, 32 connections", "requests", reading.listed(32)),
    "fresh-list-32": Contestant("the same, pages that nobody asked for before", "requests", reading.fresh_listed(32)),
    "gogrid-list-32": Contestant("GoGrid list of 50 as JSON, 32 connections", "requests", reading.gogrid_listed(32)),
    "comestri-list-32": Contestant("Comestri list of 50, 32 connections", "requests", reading.dialect_listed(32, "/api/v2/jobs?page={page}")),
    "orange-list-32": Contestant("Orange list of 50, 32 connections", "requests",
                                 reading.dialect_listed(32, "/projects/{project}/jobs?limit=50&offset={offset}")),
    "geoop-list-32": Contestant("GeoOp list of 50, 32 connections", "requests", reading.dialect_listed(32, "/jobs?page={page}")),
    "count-1": Contestant("exact total, 1 connection", "requests", reading.counted(1)),
    "ask-get": Contestant("get by id, in process", "answers", paging.asking(paging.gets)),
    "ask-lists": Contestant("lists of 50 by filters and orders", "answers", paging.asking(paging.lists)),
    "ask-past-get": Contestant("the same as of the middle of the log", "answers", paging.asking(paging.past_gets)),
    "ask-past-lists": Contestant("the same as of the middle of the log", "answers", paging.asking(paging.past_lists)),
    "first-list-1": Contestant("first pages of native lists, 1 connection", "requests", reading.first_listed(1)),
    "first-past-list-1": Contestant("the same as of the middle of the log", "requests", reading.first_listed(1, past=True)),
    "ask-first": Contestant("the first page of 50", "answers", paging.asking(paging.first_page)),
    "ask-cursor": Contestant("page 10,000 of a million, by cursor", "answers", paging.asking(paging.deep_cursor)),
    "ask-offset": Contestant("offset 500,000 of a million", "answers", paging.asking(paging.deep_offset)),
    "ask-offset-state": Contestant("the same of one state", "answers", paging.asking(paging.deep_offset_of_state)),
    "plain-offset": Contestant("a plain OFFSET", "answers", paging.asking(paging.plain_offset)),
    "plain-offset-state": Contestant("a plain OFFSET of one state", "answers", paging.asking(paging.plain_offset_of_state)),
    "ask-totals": Contestant("exact totals", "answers", paging.asking(paging.totals)),
    "ask-facets": Contestant("counts by type, command and state", "answers", paging.asking(paging.facets)),
    "flat-append-100k": Contestant("append among 100 k events, 32 connections", "events", appending.product(32, waits=False, size="100k")),
    "flat-append-10M": Contestant("append among 10 M events, 32 connections", "events", appending.product(32, waits=False, size="10M")),
    "flat-get-100k": Contestant("get among 100 k events, 32 connections", "requests", reading.get(32, "100k")),
    "flat-get-10M": Contestant("get among 10 M events, 32 connections", "requests", reading.get(32, "10M")),
    "flat-list-100k": Contestant("list of 50 among 100 k events, 32 connections", "requests", reading.listed(32, "100k")),
    "flat-list-10M": Contestant("list of 50 among 10 M events, 32 connections", "requests", reading.listed(32, "10M")),
    "ours-8": Contestant("committer, 8 callers, read models caught up", "events", peers.ours(8)),
    "ours-16": Contestant("committer, 16 callers, read models caught up", "events", peers.ours(16)),
    "ours-http-8": Contestant("HTTP, 8 connections, read models caught up", "events", peers.ours_over_http(8)),
    "plain-8": Contestant("plain mutable table, 8 callers", "events", peers.driven("plain", 8)),
    "message-db-8": Contestant("message-db, 8 callers, no read model", "events", peers.driven("message-db", 8)),
    "umadb-16": Contestant("UmaDB, 16 callers, no read model", "events", peers.driven("umadb", 16)),
    "procrastinate-8": Contestant("procrastinate, 8 callers", "jobs", peers.driven("procrastinate", 8)),
    "pgqueuer-8": Contestant("pgqueuer, 8 callers", "jobs", peers.driven("pgqueuer", 8)),
    "dbos-16": Contestant("DBOS, 16 callers", "workflows", peers.driven("dbos", 16)),
    "prefect-8": Contestant("Prefect's server, 8 connections", "events", peers.over_http(8)),
    "help": Contestant("jobledger --help", "runs", starting.helped, whole=True),
    "ready": Contestant("jobledger serve on 4 M events", "starts", starting.ready, whole=True),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Goal:
    """One row: on `measure`, the subject's figure must be at least, or at most, so many times the control's.

    Without a control the figure itself is held against the bar: a time that somebody waits, memory, or how often a thing went wrong. Without
    a bar the ratio is only told."""

    name: str
    number: str
    subject: str
    control: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    measure: str = "rate"

    @property
    def contestants(self) -> tuple[str, ...]:
        """Who must be measured for it."""
        return (self.subject,) if self.control is None else (self.subject, self.control)

    @property
    def is_judged(self) -> bool:
        """Whether there is a bar."""
        return self.at_least is not None or self.at_most is not None

    def met(self, ratio: float) -> bool:
        """Whether the ratio is good enough."""
        return ratio >= (self.at_least or 0.0) and (self.at_most is None or ratio <= self.at_most)

    @property
    def bar(self) -> str:
        """The condition in signs."""
        if not self.is_judged:
            return "told"
        return f">= {self.at_least:g}" if self.at_most is None else f"<= {self.at_most:g}"


GOALS: Final[tuple[Goal, ...]] = (
    Goal("append-http", "G1", "append-32", "pgbench-32", at_least=0.40),
    Goal("append-http", "G1", "append-32", "bare-insert-32", at_least=2.0),
    Goal("append-http", "G1", "append-minimal-32", "pgbench-32", at_least=0.40),
    Goal("append-http", "G1", "append-minimal-32", "bare-insert-32", at_least=2.0),
    Goal("append-http", "G1", "append-wait-128", "pgbench-32", at_least=0.30),
    Goal("append-http", "G3", "append-1", "bare-insert-1", at_most=1.3, measure="p50_ms"),
    Goal("append-http", "G3", "append-minimal-1", "bare-insert-1", at_most=1.3, measure="p50_ms"),
    Goal("append-http", "G11", "append-32", at_most=0, measure="missed"),
    Goal("append-http", "G11", "append-32", at_most=1, measure="winners"),
    # By themselves: of every commit another server of the same ledger hears, too, and would be counted.
    Goal("append-workers", "G1", "append-64", "pgbench-32", at_least=0.55),
    Goal("append-workers", "G1", "append-minimal-64", "pgbench-32", at_least=0.55),
    Goal("crash", "G11", "crash", at_most=0, measure="lost"),
    Goal("append-process", "G2", "commit-32", "pgbench-32", at_least=1.3),
    Goal("append-process", "G2", "commit-128", "pgbench-32", at_least=1.8),
    Goal("append-process", "G2", "commit-32", "stock", at_least=10.0),
    Goal("bulk-import", "G4", "import", "copy", at_least=0.45),
    Goal("bulk-import", "G4", "import-first", "copy-first", at_least=0.9),
    Goal("bulk-import", "G4", "import-long", "import-short", at_most=1.15, measure="peak_mib"),
    Goal("fold", "G5", "build", "set", at_least=0.8),
    Goal("fold", "G5", "build-jobs", "stock-run", at_least=60.0),
    Goal("fold", "G5", "build-jobs", "set-jobs", at_least=0.8),
    Goal("fold", "G5", "build-states", "set-states", at_least=0.8),
    Goal("fold", "G5", "build-counts", "set-counts", at_least=0.8),
    Goal("fold", "G5", "build-revisions", "set-revisions", at_least=0.8),
    Goal("fold", "G6", "follow", "set", at_least=0.5),
    Goal("fold", "G6", "follow-jobs", "set-jobs", at_least=0.5),
    Goal("fold", "G6", "follow-states", "set-states", at_least=0.5),
    Goal("fold", "G6", "follow-counts", "set-counts", at_least=0.5),
    Goal("fold", "G6", "follow-revisions", "set-revisions", at_least=0.5),
    Goal("visible", "G6", "visible", at_most=5.0, measure="p50_ms"),
    Goal("visible", "G6", "visible", at_most=25.0, measure="p99_ms"),
    Goal("visible", "G6", "visible", measure="past_p99_ms"),
    Goal("rebuild", "G5", "calm-get-rebuild", "calm-get", measure="p99_ms"),
    Goal("rebuild", "G5", "calm-append-rebuild", "calm-append", measure="p99_ms"),
    Goal("get-http", "G7", "get-1", "bare-get-1", at_most=1.2, measure="p50_ms"),
    Goal("get-http", "G7", "get-1", "get-1-small", at_most=1.25, measure="p50_ms"),
    Goal("get-http", "G7", "get-32", "bare-get-32", at_least=1.5),
    Goal("list-http", "G8", "list-1", "get-1", at_most=4.0, measure="p50_ms"),
    Goal("list-http", "G9", "count-1", "get-1", at_most=1.5, measure="p50_ms"),
    Goal("list-http", "G10", "list-32", "bare-get-32", at_least=0.6),
    Goal("list-http", "G10", "fresh-list-32", "bare-get-32"),
    Goal("list-http", "G10", "gogrid-list-32", "bare-get-32", at_least=0.4),
    Goal("list-http", "G10", "comestri-list-32", "bare-get-32", at_least=0.4),
    Goal("list-http", "G10", "orange-list-32", "bare-get-32", at_least=0.4),
    Goal("list-http", "G10", "geoop-list-32", "bare-get-32", at_least=0.4),
    Goal("deep", "G8", "ask-cursor", "ask-first", at_most=1.3, measure="p50_ms"),
    Goal("deep", "G8", "ask-lists", "ask-get", at_most=4.0, measure="p50_ms"),
    Goal("deep", "G8", "ask-offset", "plain-offset", at_most=0.15, measure="p50_ms"),
    Goal("deep", "G8", "ask-offset-state", "plain-offset-state", at_most=0.15, measure="p50_ms"),
    Goal("deep", "G9", "ask-totals", "ask-get", at_most=1.5, measure="p50_ms"),
    Goal("deep", "G9", "ask-facets", "ask-get", at_most=1.5, measure="p50_ms"),
    Goal("as-of", "as of", "ask-past-get", "ask-get", measure="p50_ms"),
    Goal("as-of", "as of", "ask-past-lists", "ask-lists", measure="p50_ms"),
    Goal("as-of", "as of", "first-past-list-1", "first-list-1", measure="p50_ms"),
    Goal("checkpoint", "proof", "append-sealed", "append-32"),
    Goal("checkpoint", "proof", "append-sealed", measure="lag_p50_ms"),
    Goal("checkpoint", "proof", "append-sealed", measure="lag_p99_ms"),
    Goal("verify", "proof", "verify", "read-rows"),
    Goal("flat", "G13", "flat-append-10M", "flat-append-100k", at_most=1.15, measure="p50_ms"),
    Goal("flat", "G13", "flat-get-10M", "flat-get-100k", at_most=1.15, measure="p50_ms"),
    Goal("flat", "G13", "flat-list-10M", "flat-list-100k", at_most=1.15, measure="p50_ms"),
    Goal("flat", "G13", "flat-append-10M", at_most=300.0, measure="server_mib"),
    Goal("peers", "G12", "ours-8", "plain-8", at_least=2.0),
    Goal("peers", "G12", "ours-8", "message-db-8", at_least=2.5),
    Goal("peers", "G12", "ours-16", "umadb-16", at_least=1.0),
    Goal("peers", "G12", "ours-8", "procrastinate-8"),
    Goal("peers", "G12", "ours-8", "pgqueuer-8"),
    Goal("peers", "G12", "ours-16", "dbos-16"),
    Goal("peers", "G12", "ours-8", "stock"),
    Goal("peers-http", "G12", "ours-http-8", "prefect-8", at_least=30.0),
    Goal("start", "G14", "help", at_most=0.3, measure="took_s"),
    Goal("start", "G14", "ready", at_most=2.0, measure="took_s"),
)

# The names, in the order in which they are run, and what each is about.
TOLD: Final[Mapping[str, str]] = {
    "append-http": "single durable appends over HTTP; a lonely one",
    "append-workers": "the same with two workers",
    "crash": "the same load, killed: what was acknowledged and lost",
    "append-process": "the same in process, and the stock library's",
    "bulk-import": "import of a table, against COPY; memory",
    "fold": "read models built and followed, against one statement each",
    "visible": "how long what was committed waits until all read models show it",
    "rebuild": "gets and appends beside a rebuild, and without",
    "get-http": "a job by its id over HTTP, among a million jobs",
    "list-http": "lists of 50 and totals over HTTP, in every dialect",
    "deep": "pages deep in a million jobs, totals and counts, in process",
    "as-of": "the same questions as of the middle of the log",
    "checkpoint": "appends with and without the checkpointer; how long events wait for it",
    "verify": "an audit of the log, against reading it",
    "flat": "append, get and list among 10 M events against 100 k; memory",
    "start": "how soon --help and serve answer",
    "peers": "other products, each in an environment of its own; only when named",
    "peers-http": "the same of one that is a server itself, and busy when nobody asks; only when named",
}

NAMES: Final = tuple(TOLD)
# What is run when nobody names anything: all that needs nothing but this checkout.
WHOLE: Final = tuple(name for name in NAMES if not name.startswith("peers"))
