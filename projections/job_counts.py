"""job_counts: how many jobs of each project, type and command are in each state, now and in the past, and of those that
were created within a span of time, so that no list counts rows."""

from __future__ import annotations

from ledger import sql
from projections.projection import Projection

VERSION = 3

JOB_COUNTS = Projection(
    "job_counts",
    VERSION,
    ("project", "type", "command", "state", "span_s", "upto"),
    sql.load(__file__),
)
