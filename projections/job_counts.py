"""job_counts: how many jobs of each project, type and command are in each state, so that no list counts rows."""

from __future__ import annotations

from ledger import sql
from projections.projection import Projection

VERSION = 1

JOB_COUNTS = Projection(
    "job_counts", VERSION, ("project", "type", "command", "state"), sql.load(__file__)
)
