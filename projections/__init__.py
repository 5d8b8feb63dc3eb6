"""Projections: what the log means. Disposable, rebuildable read models, and the questions one may ask of them."""

from __future__ import annotations

from projections.job_counts import JOB_COUNTS
from projections.job_revisions import JOB_REVISIONS
from projections.job_states import JOB_STATES
from projections.jobs import JOBS
from projections.projection import Projection

PROJECTIONS: tuple[Projection, ...] = (JOBS, JOB_STATES, JOB_COUNTS, JOB_REVISIONS)
