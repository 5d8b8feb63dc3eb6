"""job_states: the history of every job, one row for each stay in a state."""

from __future__ import annotations

from ledger import sql
from projections.projection import Projection

VERSION = 2

JOB_STATES = Projection("job_states", VERSION, ("job_id", "version"), sql.load(__file__), past=True)
