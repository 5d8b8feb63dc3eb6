-- name: reached
-- How far each read model is; who asks for one alone does not look for the other. The view of the same name tells more, for which each list would pay.
SELECT coalesce((SELECT t.notification_id FROM projections.live l JOIN projections.notification_tracking t USING (application_name)
                 WHERE l.name = 'jobs'), 0) AS jobs,
       coalesce((SELECT t.notification_id FROM projections.live l JOIN projections.notification_tracking t USING (application_name)
                 WHERE l.name = 'job_counts'), 0) AS job_counts

-- name: reached_both
-- The same for who asks for both: one look tells them.
SELECT coalesce(max(t.notification_id) FILTER (WHERE l.name = 'jobs'), 0) AS jobs,
       coalesce(max(t.notification_id) FILTER (WHERE l.name = 'job_counts'), 0) AS job_counts
FROM projections.live l JOIN projections.notification_tracking t USING (application_name) WHERE l.name IN ('jobs', 'job_counts')

-- name: gathered
-- A page's jobs and one more when there is another, in their order, a column a value: one row costs the reader less than fifty, and comes in one
-- piece. Where the last of the page stands in the order is said once. The sight is set in the statement itself, as in by_id.
SELECT p.numbers, p.versions, h.reached, h.jobs{told}
FROM (SELECT set_config('ledger.projects', %(sight)s, true) AS sight) seen
CROSS JOIN LATERAL (
  SELECT reached.jobs AS reached, total.* FROM ({reached}) reached CROSS JOIN LATERAL {total} total WHERE seen.sight IS NOT NULL OFFSET 0
) h
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(w.number), '{{}}') AS numbers, coalesce(array_agg(w.version), '{{}}') AS versions{gathered}
  FROM (SELECT j.number, j.version{selected} FROM ({window}) j WHERE seen.sight IS NOT NULL ORDER BY {order}) w
) p

-- name: walk
-- The window behind many jobs: the index alone is walked up to it, and only then are rows read, one by one, however many the planner fears.
SELECT j.* FROM (SELECT {keys} FROM ({matching}) m ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s) w
CROSS JOIN LATERAL (SELECT * FROM projections.jobs j WHERE j.project = %(project)s AND j.number = w.number OFFSET 0) j

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
-- Jobs by what they are called, in the order asked.
SELECT {columns} FROM unnest(%(names)s::{type}[]) WITH ORDINALITY asked (name, nth)
JOIN projections.jobs j ON j.project = %(project)s AND j.{column} = asked.name
ORDER BY asked.nth, j.number LIMIT %(limit)s

-- name: by_id
-- Jobs by their ids, of these projects. The sight is set in the statement itself, which saves a lone get a third of its time: rows are looked
-- for behind it, since the subquery rests on it and stays a subquery.
SELECT {columns}
FROM (SELECT set_config('ledger.projects', %(sight)s, true) AS sight) seen
CROSS JOIN LATERAL (SELECT * FROM projections.jobs j WHERE j.id = ANY(%(ids)s) AND seen.sight IS NOT NULL OFFSET 0) j

-- name: by_number
-- Jobs of a project by their numbers, behind the same wall.
SELECT {columns}
FROM (SELECT set_config('ledger.projects', %(sight)s, true) AS sight) seen
CROSS JOIN LATERAL (
  SELECT * FROM projections.jobs j WHERE j.project = %(project)s AND j.number = ANY(%(numbers)s) AND seen.sight IS NOT NULL OFFSET 0
) j

-- name: tally
-- How far the counters of one project are, and the counters, a column a value, states in the order of their names. The sight is set in the statement
-- itself, as in by_id.
SELECT p.*
FROM (SELECT set_config('ledger.projects', %(sight)s, true) AS sight) seen
CROSS JOIN LATERAL (
  SELECT (SELECT reached.job_counts FROM ({reached}) reached) AS reached, array_agg(k.type), array_agg(nullif(k.command, '')),
         array_agg(k.canceled), array_agg(k.created), array_agg(k.failed), array_agg(k.processing), array_agg(k.queued), array_agg(k.succeeded)
  FROM (
    SELECT * FROM projections.job_counts k
    WHERE k.project = %(project)s AND k.span_s = 0 AND k.span_upto = 0 AND k.latest AND seen.sight IS NOT NULL
    ORDER BY k.type, k.command
  ) k
) p
