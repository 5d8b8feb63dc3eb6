-- name: list
-- The jobs of a window in its order, the total, and how far the read models are that said so; one row without a job when there are none.
SELECT w.id, total.jobs, reached.position
FROM ({reached}) reached CROSS JOIN (SELECT {total} AS jobs) total LEFT JOIN ({window}) w ON true
ORDER BY {order}

-- name: reached
-- How far the slower of the read models is that answers of the past are made from.
SELECT min(position) AS position FROM projections.reached WHERE name IN ('jobs', 'job_states', 'job_revisions')

-- name: window
-- A page of the jobs that a question is about, with what orders them.
SELECT j.id, {keys} FROM {jobs} WHERE {conditions} ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s

-- name: total
-- How many jobs a question is about.
(SELECT count(*) FROM {jobs} WHERE {conditions})

-- name: walk
-- Jobs in an order that never changes, each with the last of its revisions that counts; one that was not there yet has none.
projections.jobs j CROSS JOIN LATERAL (
  SELECT r.outcome, r.updated_at FROM projections.job_revisions r
  WHERE r.job_id = j.id AND r.position <= %(position)s {happened} ORDER BY r.position DESC LIMIT 1
) r

-- name: bounded
-- Between which times and numbers all jobs lie that were there then; what was not there yet is left of the index unread.
j.{column} BETWEEN (SELECT b.{least} FROM ({births}) b) AND (SELECT b.{most} FROM ({births}) b)

-- name: births
-- The project when its last job until then was created.
SELECT c.* FROM projections.job_revisions c
WHERE c.project = %(project)s AND c.jobs IS NOT NULL AND c.position <= %(position)s ORDER BY c.position DESC LIMIT 1

-- name: peopled
-- How many jobs the project had.
(SELECT coalesce(max(b.jobs), 0) FROM ({births}) b)

-- name: few
-- How many jobs were in these states, counted no further than to where it no longer matters.
SELECT count(*) FROM (SELECT FROM {stays} LIMIT %(few)s) f

-- name: stays
-- The stays in these states that were in effect: a short range of each length.
unnest(%(states)s::text[]) asked (state) CROSS JOIN (SELECT generate_series(0, 53) UNION ALL SELECT 63) k (k)
JOIN projections.job_states s ON s.project = %(project)s AND s.state = asked.state AND s.lasting = k.k
  AND s.position > CASE WHEN k.k < 63 THEN %(position)s - (2::bigint << k.k) ELSE 0 END
  AND s.position <= %(position)s AND (s.left_position IS NULL OR s.left_position > %(position)s)

-- name: stab
-- Jobs by the stays that were in effect, each with the last of its revisions that counts. OFFSET 0 keeps the planner to this way: it takes the
-- few stays for many, and would rather try every job in order.
(SELECT s.job_id FROM {stays} OFFSET 0) s
CROSS JOIN LATERAL (SELECT * FROM projections.jobs one WHERE one.id = s.job_id OFFSET 0) j
CROSS JOIN LATERAL (
  SELECT r.outcome, r.updated_at FROM projections.job_revisions r
  WHERE r.job_id = j.id AND r.position <= %(position)s ORDER BY r.position DESC LIMIT 1
) r

-- name: touch
-- Jobs in the order of their last change: revisions that count and that no later one has replaced by then.
(SELECT r.* FROM projections.job_revisions r
 WHERE r.position <= %(position)s {happened} AND NOT EXISTS (
   SELECT FROM projections.job_revisions later
   WHERE later.job_id = r.job_id AND later.position > r.position AND later.position <= %(position)s {later_happened}
 )) r JOIN projections.jobs j ON j.id = r.job_id

-- name: happened
-- Only what had happened by then.
AND r.happened_at <= %(happened)s

-- name: later_happened
-- The same of what would replace it.
AND later.happened_at <= %(happened)s

-- name: state
-- A state, which is an outcome less its details.
CASE WHEN r.outcome IN ('Retrying', 'Rejected', 'Incomplete', 'Exhausted', 'Failed') THEN 'Failed' ELSE r.outcome END COLLATE "C"

-- name: phase
-- How far a job is for somebody who waits for it, by its outcome.
CASE WHEN r.outcome IN ('Created', 'Queued') THEN 'acknowledged' WHEN r.outcome IN ('Processing', 'Retrying') THEN 'in-progress'
     WHEN r.outcome = 'Succeeded' THEN 'completed' ELSE 'failed' END COLLATE "C"

-- name: called
-- Jobs by what they are called, in the order asked.
SELECT j.id, reached.position FROM ({reached}) reached
LEFT JOIN (unnest(%(names)s::{type}[]) WITH ORDINALITY asked (name, nth)
  JOIN {jobs} ON j.project = %(project)s AND j.{column} = asked.name) ON true
ORDER BY asked.nth, j.number LIMIT %(limit)s

-- name: tally
-- How many jobs of one project there were, by type, command and state; one row without a count when there were none.
SELECT reached.position, c.type, c.command, c.state, c.jobs
FROM ({reached}) reached LEFT JOIN (
  SELECT j.type, j.command, {state} AS state, count(*) AS jobs FROM {jobs} WHERE j.project = %(project)s GROUP BY 1, 2, 3
) c ON true
ORDER BY c.type, coalesce(c.command, '') COLLATE "C", c.state

-- name: position_at
-- The last position of a project at which the ledger had recorded something by a time; null when that time has not come.
SELECT ledger.position_at(%(project)s, %(moment)s)

-- name: recorded_at
-- When a project's last event up to a position was recorded.
SELECT e.recorded_at FROM ledger.stored_events e
WHERE e.project = %(project)s AND e.notification_id <= %(position)s ORDER BY e.notification_id DESC LIMIT 1
