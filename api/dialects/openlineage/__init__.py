"""OpenLineage's API 1: what data platforms report of their runs, recorded as events of a job per run.

Invariants: a run's job is found by its source_id, which is the run's id, within the key's project alone; an event that comes late, twice or out of
order is answered like any other; events of jobs and of datasets, which tell of no run, are taken and not kept."""

from __future__ import annotations

from api.dialects.dialect import Dialect
from api.dialects.native import credential
from api.dialects.openlineage.fault import fault
from api.dialects.openlineage.operations import OPERATIONS

OPENLINEAGE = Dialect(
    name="openlineage",
    title="OpenLineage API",
    prefixes=("/api/v1/",),
    operations=OPERATIONS,
    credential=credential,
    fault=fault,
    description=(
        "Takes OpenLineage events, one or many at a time, plain or packed by gzip. Each run is a job of type OpenLineageRun: its source_id is the"
        " run's id, its object the name of the OpenLineage job, its command that job's namespace. Facets are kept whole: those of a run's first"
        " event in the job's detail, those of later ones, and large ones, as notes in its log."
    ),
)
