-- name: reached
-- How far each read model is.
SELECT coalesce(max(position) FILTER (WHERE name = 'jobs'), 0) AS jobs,
       coalesce(max(position) FILTER (WHERE name = 'job_counts'), 0) AS job_counts
FROM projections.reached

-- name: page
-- Jobs with their history, and how far the read models were when they were read; one row without a job when there are none.
WITH reached AS MATERIALIZED ({reached}), total AS MATERIALIZED (SELECT {total} AS jobs FROM reached)
SELECT {columns}, {keys}, reached.jobs, total.jobs
FROM reached CROSS JOIN total LEFT JOIN ({window}) j ON true
ORDER BY {order}

-- name: joined
-- The same as one text of all jobs, which costs the reader one value instead of hundreds; how many were found, one more than the page holds when
-- there is another; and where the last of the page stands in the order. The sight is set in the statement itself, as in by_id.
SELECT p.said, p.found, {last}, p.reached, p.total
FROM (SELECT set_config('ledger.projects', %(sight)s, true) AS sight) seen
CROSS JOIN LATERAL (
  WITH reached AS MATERIALIZED ({reached}), total AS MATERIALIZED (SELECT {total} AS jobs FROM reached WHERE seen.sight IS NOT NULL)
  SELECT convert_to(string_agg(w.said, ',') FILTER (WHERE w.nth < %(limit)s), 'UTF8') AS said, count(*) AS found, {gathered},
         (SELECT jobs FROM reached) AS reached, (SELECT jobs FROM total) AS total
  FROM (
    SELECT {columns} AS said, {keys}, row_number() OVER () AS nth FROM (SELECT * FROM ({window}) j ORDER BY {order}) j
    WHERE seen.sight IS NOT NULL
  ) w
) p

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

-- name: tally
-- The counters of one project, and how far they are; one row without a count when there are none.
SELECT reached.job_counts, c.type, nullif(c.command, ''), c.state, c.jobs
FROM ({reached}) reached
LEFT JOIN projections.job_counts c ON c.project = %(project)s AND c.upto = 9223372036854775807 AND c.jobs > 0
ORDER BY c.type, c.command, c.state
