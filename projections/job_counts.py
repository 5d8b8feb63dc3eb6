"""job_counts: how many jobs of each project, type and command are in each state, and of those that were created within a span of time, now and at
the end of each stretch of positions, so that no list counts rows, of the past neither."""

from __future__ import annotations

from ledger import sql
from projections.projection import Projection

VERSION = 4

JOB_COUNTS = Projection(
    "job_counts",
    VERSION,
    ("project", "span_s", "span_upto", "type", "command", "upto"),
    sql.load(__file__),
)
