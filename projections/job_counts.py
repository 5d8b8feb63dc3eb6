"""job_counts: how many jobs of each project, type and command are in each state, now and in the past, so that no list counts rows."""

from __future__ import annotations

from ledger import sql
from projections.projection import Projection

VERSION = 2

JOB_COUNTS = Projection(
    "job_counts", VERSION, ("project", "type", "command", "state", "upto"), sql.load(__file__)
)
