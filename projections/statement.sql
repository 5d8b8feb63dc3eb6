-- name: columns
-- A job as row.py takes it apart, in the order of ledger.job.Job's fields; `j` is its row.
j.id, j.number, j.project, j.type, j.owner, j.created_at, j.updated_at, j.state, j.version, j.position, j.command, j.object, j.request_id,
j.source_id, j.description, j.detail::text AS detail, j.attempts, j.progress, j.error_count, j.messages::text AS messages, j.items_total,
j.items_succeeded, j.items_failed, j.kind, j.final, j.started_at, j.ended_at, j.ended_by, j.history

-- name: reached
-- How far each read model is.
SELECT coalesce(max(position) FILTER (WHERE name = 'jobs'), 0) AS jobs,
       coalesce(max(position) FILTER (WHERE name = 'job_counts'), 0) AS job_counts
FROM projections.reached

-- name: page
-- Jobs with their history, and how far the read models were when they were read; one row without a job when there are none.
WITH reached AS MATERIALIZED ({reached}), total AS MATERIALIZED (SELECT {total} AS jobs FROM reached)
SELECT {columns}, reached.jobs, total.jobs
FROM reached CROSS JOIN total LEFT JOIN ({window}) j ON true
ORDER BY {order}

-- name: walk
-- The window behind many jobs: the index alone is walked up to it, and only then are rows read.
SELECT j.* FROM (SELECT {keys} FROM ({matching}) m ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s) w
JOIN projections.jobs j ON j.project = %(project)s AND j.number = w.number

-- name: straight
-- The window at the start of an order, or behind a job of which the keys are known.
SELECT * FROM ({matching}) m ORDER BY {order} LIMIT %(limit)s

-- name: matching
-- The jobs that a question is about.
SELECT {columns} FROM projections.jobs j WHERE {conditions}

-- name: branch
-- The same for one value of a filter: its own order is what lets a few of them be merged without reading more than the window.
(SELECT {columns} FROM projections.jobs j WHERE {conditions} ORDER BY {order} LIMIT %(upto)s)

-- name: called
-- The window of jobs by what they are called, in the order asked.
SELECT j.*, asked.nth FROM unnest(%(names)s::{type}[]) WITH ORDINALITY asked (name, nth)
JOIN projections.jobs j ON j.project = %(project)s AND j.{column} = asked.name
ORDER BY asked.nth, j.number LIMIT %(limit)s

-- name: by_id
-- Jobs by their ids, of these projects. The sight is set in the statement itself, which saves a lone get a third of its time: rows are looked
-- for behind it, since the subquery rests on it and stays a subquery.
SELECT {columns}
FROM (SELECT set_config('ledger.projects', %(sight)s, true) AS sight) seen
CROSS JOIN LATERAL (SELECT * FROM projections.jobs j WHERE j.id = ANY(%(ids)s) AND seen.sight IS NOT NULL OFFSET 0) j

-- name: counted
-- A total from the counters, when they stand where the jobs do, or would be much dearer to take anew; else from the jobs.
(SELECT CASE WHEN reached.job_counts = reached.jobs OR c.jobs > %(exactly)s THEN c.jobs
             ELSE (SELECT count(*) FROM projections.jobs j WHERE {conditions}) END
 FROM (SELECT coalesce(sum(j.jobs), 0)::bigint AS jobs FROM projections.job_counts j WHERE {conditions}) c)

-- name: tally
-- The counters of one project, and how far they are; one row without a count when there are none.
SELECT reached.job_counts, c.type, nullif(c.command, ''), c.state, c.jobs
FROM ({reached}) reached
LEFT JOIN projections.job_counts c ON c.project = %(project)s AND c.jobs > 0
ORDER BY c.type, c.command, c.state
