-- name: lock_project
-- One batch of a project is taken at a time, so that two of them cannot share what is left of its quota.
SELECT pg_advisory_xact_lock(hashtextextended('jobledger batches of ' || %s, 0))

-- name: waiting
-- How much a project has waiting: batches, and items without a result.
SELECT count(*), coalesce(sum(items - applied), 0)::bigint FROM ledger.batches WHERE project = %s AND finished_at IS NULL

-- name: take
-- Keep a batch.
INSERT INTO ledger.batches (job_id, project, form, shared, actor, credential_id, request_id, items)
VALUES (%(job_id)s, %(project)s, %(form)s, %(shared)s, %(actor)s, %(credential_id)s, %(request_id)s, %(count)s)

-- name: take_items
-- Keep its items, each as the text that it was sent in. The list travels as one parameter: the server cuts it faster than we could.
INSERT INTO ledger.batch_items (job_id, nth, project, item)
SELECT %(job_id)s, nth - 1, %(project)s, item::text FROM json_array_elements(%(items)s::json) WITH ORDINALITY AS list (item, nth)

-- name: next
-- The batch of each project whose turn it is: one that was called off, which only has to be closed, else the oldest.
SELECT DISTINCT ON (b.project) b.job_id, b.project, b.form, b.shared, b.actor, b.credential_id, b.request_id, b.items, b.applied, b.failed
FROM ledger.batches b
LEFT JOIN LATERAL (
  SELECT 1 AS one FROM ledger.stored_events e WHERE e.originator_id = b.job_id AND e.topic = 'job.canceled' LIMIT 1
) called_off ON true
WHERE b.finished_at IS NULL
ORDER BY b.project, called_off.one NULLS LAST, b.accepted_at, b.job_id

-- name: items
-- The next items of a batch: at most so many, and so many bytes of them. One that is too long to be applied is not even loaded.
SELECT nth, CASE WHEN bytes <= %(item_bytes_max)s THEN item END
FROM (
  SELECT nth, item, octet_length(item) AS bytes, sum(least(octet_length(item), %(item_bytes_max)s)) OVER (ORDER BY nth) AS bytes_so_far
  FROM (
    SELECT nth, item FROM ledger.batch_items WHERE job_id = %(job_id)s AND nth >= %(from)s ORDER BY nth LIMIT %(limit)s
  ) AS page
) measured
WHERE nth = %(from)s OR bytes_so_far <= %(bytes_max)s
ORDER BY nth

-- name: hold
-- Hold a batch until the transaction ends, if it still is where we believe: else somebody else has it.
SELECT 1 FROM ledger.batches WHERE job_id = %s AND applied = %s AND finished_at IS NULL FOR UPDATE

-- name: record
-- What became of some items.
INSERT INTO ledger.batch_results (job_id, project, nth, about, position, code, message)
SELECT %s, %s, * FROM unnest(%s::int[], %s::uuid[], %s::bigint[], %s::text[], %s::text[])

-- name: advance
-- So far the batch has come.
UPDATE ledger.batches SET applied = %s, failed = %s, finished_at = CASE WHEN %s THEN clock_timestamp() END WHERE job_id = %s

-- name: batch
-- A batch of a project: what its items share, how many they are, how many have a result, how many of those an error.
SELECT shared, items, applied, failed FROM ledger.batches WHERE job_id = %s AND project = %s

-- name: imported
-- Items that were applied, behind one of them, with when their events were recorded.
SELECT nth, CASE WHEN bytes <= %(item_bytes_max)s THEN item END, about, position, code, message, recorded_at, found
FROM (
  SELECT page.*, octet_length(item) AS bytes, sum(least(octet_length(item), %(item_bytes_max)s)) OVER (ORDER BY nth) AS bytes_so_far,
         row_number() OVER (ORDER BY nth) AS row, count(*) OVER () AS found
  FROM (
    SELECT i.nth, i.item, r.about, r.position, r.code, r.message, e.recorded_at
    FROM ledger.batch_items i
    JOIN ledger.batch_results r USING (job_id, nth)
    LEFT JOIN ledger.stored_events e ON e.notification_id = r.position
    WHERE i.job_id = %(job_id)s AND i.nth > %(after)s AND r.code IS NULL
    ORDER BY i.nth LIMIT %(limit)s
  ) AS page
) measured
WHERE row = 1 OR bytes_so_far <= %(bytes_max)s
ORDER BY nth

-- name: refused
-- Items that were not applied, behind one of them: those with an error, and those that the batch never came to.
SELECT nth, CASE WHEN bytes <= %(item_bytes_max)s THEN item END, about, position, code, message, NULL::timestamptz, found
FROM (
  SELECT page.*, octet_length(item) AS bytes, sum(least(octet_length(item), %(item_bytes_max)s)) OVER (ORDER BY nth) AS bytes_so_far,
         row_number() OVER (ORDER BY nth) AS row, count(*) OVER () AS found
  FROM (
    SELECT i.nth, i.item, r.about, r.position, r.code, r.message
    FROM ledger.batch_items i
    LEFT JOIN ledger.batch_results r USING (job_id, nth)
    WHERE i.job_id = %(job_id)s AND i.nth > %(after)s AND r.position IS NULL
    ORDER BY i.nth LIMIT %(limit)s
  ) AS page
) measured
WHERE row = 1 OR bytes_so_far <= %(bytes_max)s
ORDER BY nth

-- name: outdated
-- A batch that ended longer ago than its items and results are kept.
SELECT job_id FROM ledger.batches WHERE finished_at < clock_timestamp() - make_interval(days => %s) LIMIT 1

-- name: forget_results
-- Its results.
DELETE FROM ledger.batch_results WHERE job_id = %s

-- name: forget_items
-- Its items.
DELETE FROM ledger.batch_items WHERE job_id = %s

-- name: forget
-- Itself; its job stays in the log.
DELETE FROM ledger.batches WHERE job_id = %s
