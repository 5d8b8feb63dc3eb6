"""job_revisions: how every job stood after each of its events, one row each, from which any earlier moment is asked."""

from __future__ import annotations

from ledger import sql
from projections.projection import Projection

VERSION = 5

JOB_REVISIONS = Projection(
    "job_revisions", VERSION, ("job_id", "position"), sql.load(__file__), past=True
)
