"""Results: what became of a batch's items, a page at a time.

Invariants: nothing of another project is in a page; the job is as the read models have it, or as it stood at the position asked about, and the
items as the log's own tables do. Results are told of a batch that is over, and get no more then, since a slice is one transaction with its batch's
next events: so as of any position they are what they are now, or not told yet, until they are removed. Errors: psycopg's own."""

from __future__ import annotations

from api.batch.question import BatchPage, Results
from ledger import batches
from ledger.settings import BATCH_PAGE_ITEMS_MAX
from ledger.store import Connection
from projections import query
from projections.question import Named


async def page(connection: Connection, asked: Results) -> BatchPage:
    """One page."""
    found = await query.named(
        connection, Named(asked.project, ids=(asked.job_id,), as_of=asked.as_of)
    )
    job = found[0] if found else None
    if job is None or not job.absorbed:
        return BatchPage(job)
    kept = await batches.kept(connection, asked.project, asked.job_id)
    if kept is None:
        return BatchPage(job)
    results, more = await batches.results(
        connection,
        asked.project,
        asked.job_id,
        failed=asked.failed,
        after=asked.after,
        limit=BATCH_PAGE_ITEMS_MAX,
    )
    # All of a batch is removed at once: where nothing was found, it may have been removed just now.
    if not results and await batches.kept(connection, asked.project, asked.job_id) is None:
        return BatchPage(job)
    imported = kept.applied - kept.failed
    return BatchPage(
        job,
        tuple(results),
        total=kept.items - imported if asked.failed else imported,
        next=results[-1].nth if more else None,
        shared=kept.shared,
    )
