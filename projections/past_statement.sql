-- name: gathered
-- A page of jobs as they were and one more when there is another, in their order, a column a value; each with its version then and now. Where the
-- last of the page stands in the order is said once.
SELECT g.numbers, g.versions, g.latest, reached.position, total.jobs{told}
FROM ({seen}) seen CROSS JOIN LATERAL ({reached}) reached CROSS JOIN LATERAL (SELECT {total} AS jobs WHERE seen.sight IS NOT NULL OFFSET 0) total
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(p.number), '{{}}') AS numbers, coalesce(array_agg(p.version), '{{}}') AS versions,
         coalesce(array_agg(p.latest), '{{}}') AS latest{gathered}
  FROM (SELECT r.number, r.version, r.latest{selected} FROM ({window}) r{stood} WHERE seen.sight IS NOT NULL ORDER BY {order}) p
) g

-- name: seen
-- What may be seen, said in the statement itself.
SELECT set_config('ledger.projects', %(sight)s, true) AS sight

-- name: saw
-- What may be seen was said before.
SELECT '' AS sight

-- name: reached
-- How far the slowest of the read models is that answers of the past are made from.
SELECT min(position) AS position FROM projections.reached WHERE name IN ('jobs', 'job_states', 'job_counts', 'job_revisions')

-- name: window
-- A page of the jobs that a question is about, with what orders them, out of the first ones of each branch.
SELECT * FROM ({branches}) b ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s

-- name: branch
-- The first jobs of one kind, and whether the last that counts of each is the last there is.
(SELECT j.id, j.number, j.version AS latest, r.position = j.position AS settled, r.version, r.position, r.updated_at, r.outcome, r.failures, {keys}
 FROM {jobs} WHERE {conditions} ORDER BY {order} LIMIT %(upto)s)

-- name: walk
-- Jobs, each with how it stood: as it does now, unless it has changed since; else by the last of its revisions. One that was not there yet has none.
projections.jobs j CROSS JOIN LATERAL (
  SELECT j.outcome, j.updated_at, j.position, j.version, j.failures WHERE j.position <= %(position)s
  UNION ALL (
    SELECT r.outcome, r.updated_at, r.position, r.version, r.failures FROM projections.job_revisions r
    WHERE j.position > %(position)s AND r.job_id = j.id AND r.position <= %(position)s ORDER BY r.position DESC LIMIT 1)
) r

-- name: walk_happened
-- Jobs, each with the last of its revisions that had happened.
projections.jobs j CROSS JOIN LATERAL (
  SELECT r.outcome, r.updated_at, r.position, r.version, r.failures FROM projections.job_revisions r
  WHERE r.job_id = j.id AND r.position <= %(position)s AND r.happened_at <= %(happened)s ORDER BY r.position DESC LIMIT 1
) r

-- name: settled
-- Of jobs that stand now as they stood then, what they are now; so that they are found as those of now are.
r.outcome = j.outcome

-- name: bounded
-- No job there was created later than the last; what came since is left of the index unread. (A lower bound too would look so narrow as to sort.)
j.{column} <= (SELECT b.{most} FROM ({births}) b)

-- name: few
-- How many jobs were in these states, counted no further than to where it no longer matters.
SELECT count(*) FROM (SELECT FROM {stays} LIMIT %(few)s) f

-- name: left
-- The stays in these states that were in effect and have ended since: a short range of each length. OFFSET 0 keeps the planner to this way.
unnest(%(states)s::text[]) asked (state)
CROSS JOIN generate_series(0, (SELECT length(ltrim(max(position)::bit(64)::text, '0')) FROM projections.reached)) k (k)
CROSS JOIN LATERAL (
  SELECT t.job_id FROM projections.job_states t
  WHERE t.project = %(project)s AND t.state = asked.state AND t.lasting = k.k AND t.position > %(position)s - (2::bigint << k.k)
    AND t.position <= %(position)s AND t.left_position > %(position)s OFFSET 0
) s

-- name: stays
-- The same, with those that have not ended.
(SELECT s.job_id FROM {left}
 UNION ALL
 SELECT t.job_id FROM projections.job_states t
 WHERE t.project = %(project)s AND t.state = ANY(%(states)s) AND t.lasting = 63 AND t.position <= %(position)s) s

-- name: gone
-- Jobs by the stays that were in effect and have ended since, each with how it stood. Jobs may know of events that stays do not know yet.
(SELECT s.job_id FROM {left}
 UNION
 SELECT e.originator_id FROM ledger.stored_events e
 WHERE e.project = %(project)s AND e.notification_id > (SELECT r.position FROM projections.reached r WHERE r.name = 'job_states')
   AND e.notification_id <= (SELECT r.position FROM projections.reached r WHERE r.name = 'jobs') OFFSET 0) s
CROSS JOIN LATERAL (SELECT * FROM projections.jobs one WHERE one.id = s.job_id OFFSET 0) j
CROSS JOIN LATERAL (
  SELECT r.outcome, r.updated_at, r.position, r.version, r.failures FROM projections.job_revisions r
  WHERE r.job_id = j.id AND r.position <= %(position)s ORDER BY r.position DESC LIMIT 1
) r

-- name: moved
-- Of these, the jobs that stand otherwise now.
r.outcome <> j.outcome

-- name: stab
-- Jobs by the stays that were in effect, each with how it stood.
(SELECT s.job_id FROM {stays} OFFSET 0) s
CROSS JOIN LATERAL (SELECT * FROM projections.jobs one WHERE one.id = s.job_id OFFSET 0) j
CROSS JOIN LATERAL (
  SELECT r.outcome, r.updated_at, r.position, r.version, r.failures FROM projections.job_revisions r
  WHERE r.job_id = j.id AND r.position <= %(position)s ORDER BY r.position DESC LIMIT 1
) r

-- name: touch
-- Jobs in the order of their last change, by revisions that were their last then. OFFSET 0 keeps the planner to it: it would take few to be.
projections.job_revisions r CROSS JOIN LATERAL (
  SELECT * FROM projections.jobs one
  WHERE one.id = r.job_id AND (r.position = one.position OR one.position > %(position)s AND NOT EXISTS (
    SELECT FROM projections.job_revisions later
    WHERE later.job_id = r.job_id AND later.position > r.position AND later.position <= %(position)s)) OFFSET 0
) j

-- name: touch_happened
-- The same among what had happened.
projections.job_revisions r CROSS JOIN LATERAL (
  SELECT * FROM projections.jobs one
  WHERE one.id = r.job_id AND NOT EXISTS (
    SELECT FROM projections.job_revisions later
    WHERE later.job_id = r.job_id AND later.position > r.position AND later.position <= %(position)s AND later.happened_at <= %(happened)s) OFFSET 0
) j

-- name: until
-- Only until then.
r.project = %(project)s AND r.position <= %(position)s

-- name: happened
-- Only what had happened by then.
r.happened_at <= %(happened)s

-- name: on_time
-- What had changed by the clock of then, and a second: all that came later is left of the index unread.
r.updated_at <= ({recorded})

-- name: ahead
-- What was said to change later than its own record, and a second.
r.ahead AND r.updated_at > ({recorded})

-- name: recorded
-- A second behind the record of the project's last event until then.
SELECT e.recorded_at + interval '1 second' FROM ledger.stored_events e
WHERE e.project = ANY(ARRAY[%(project)s]) AND e.notification_id <= %(position)s ORDER BY e.project DESC, e.notification_id DESC LIMIT 1

-- name: state
-- A state, which is an outcome less its details.
CASE WHEN r.outcome IN ('Retrying', 'Rejected', 'Incomplete', 'Exhausted', 'Failed') THEN 'Failed' ELSE r.outcome END COLLATE "C"

-- name: phase
-- How far a job is for somebody who waits for it, by its outcome.
CASE WHEN r.outcome IN ('Created', 'Queued') THEN 'acknowledged' WHEN r.outcome IN ('Processing', 'Retrying') THEN 'in-progress'
     WHEN r.outcome = 'Succeeded' THEN 'completed' ELSE 'failed' END COLLATE "C"

-- name: called
-- Jobs by what they are called, in the order asked, each as it is now, and what revision of it counts.
SELECT {columns}, j.number, r.position = j.position AS settled, r.position, reached.position FROM ({reached}) reached
LEFT JOIN (unnest(%(names)s::{type}[]) WITH ORDINALITY asked (name, nth)
  JOIN {jobs} ON j.project = %(project)s AND j.{column} = asked.name) ON true
ORDER BY asked.nth, j.number LIMIT %(limit)s

-- name: revised
-- Jobs as they were at these of their revisions, in their order.
SELECT {columns} FROM unnest(%(numbers)s::bigint[], %(positions)s::bigint[]) WITH ORDINALITY asked (number, position, nth)
CROSS JOIN LATERAL (
  SELECT one.id, one.position FROM projections.jobs one WHERE one.project = %(project)s AND one.number = asked.number OFFSET 0
) now
CROSS JOIN LATERAL (
  SELECT c.job_id AS id, c.position = now.position AS settled, c.version, c.position, c.updated_at, c.outcome, c.failures
  FROM projections.job_revisions c WHERE c.job_id = now.id AND c.position = asked.position OFFSET 0
) r
CROSS JOIN LATERAL {stood} j
ORDER BY asked.nth

-- name: tally
-- How many jobs of one project there were, by type, command and state; one row without a count when there were none.
SELECT reached.position, c.type, nullif(c.command, ''), c.state, c.jobs
FROM ({reached}) reached LEFT JOIN ({tallied}) c ON c.jobs > 0
ORDER BY c.type, c.command, c.state

-- name: tallied_happened
-- How many jobs there were of each kind by what had happened.
SELECT j.type, coalesce(j.command, '') AS command, {state} AS state, count(*) AS jobs
FROM {jobs} WHERE j.project = %(project)s GROUP BY 1, 2, 3

-- name: position_at
-- The last position of a project at which the ledger had recorded something by a time; null when that time has not come.
SELECT ledger.position_at(%(project)s, %(moment)s)

-- name: head
-- Where the log ends, and when the project's last event up to a position, or else to there, was recorded; null when it had none. Which of the two is
-- said by a row of its own: behind row-level security PostgreSQL lets no COALESCE bound an index, and would walk it from the end of the log. The
-- project is one of a list, so that the order is that of the project's own index alone: a project of few events would be looked for among all others'.
SELECT h.position, (
  SELECT e.recorded_at FROM ledger.stored_events e
  WHERE e.project = ANY(ARRAY[%(project)s]) AND e.notification_id <= h.upto ORDER BY e.project DESC, e.notification_id DESC LIMIT 1
)
FROM (SELECT position, coalesce(%(position)s::bigint, position) AS upto FROM ledger.head OFFSET 0) h

-- name: events
-- The events that count of a project, or of one job of it, behind a position; what had happened by a time is always a job's first events.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM ledger.stored_events e
WHERE e.project = %(project)s AND e.notification_id > %(after)s AND e.notification_id <= %(position)s
  AND (%(job_id)s::uuid IS NULL OR e.originator_id = %(job_id)s)
  AND (%(happened)s::timestamptz IS NULL OR EXISTS (
    SELECT FROM projections.job_revisions r
    WHERE r.job_id = e.originator_id AND r.position = e.notification_id AND r.happened_at <= %(happened)s))
ORDER BY e.notification_id LIMIT %(limit)s
