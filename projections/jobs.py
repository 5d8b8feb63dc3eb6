"""jobs: the current state of every job, one row each, from which every dialect renders."""

from __future__ import annotations

from ledger import sql
from projections.projection import Projection

VERSION = 1

JOBS = Projection("jobs", VERSION, ("id",), sql.load(__file__))
