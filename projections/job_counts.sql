-- name: create
-- How many jobs there are of each kind in each state: now, where `upto` is the largest bigint, and at the end of each stretch of so many positions
-- (COUNTS_STRETCH) in which a job came there or left, so that the past need not be counted from the beginning. A row stays when it has fallen to 0.
CREATE TABLE {table} (
  project text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  command text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  upto bigint NOT NULL,
  jobs bigint NOT NULL,
  PRIMARY KEY (project, type, command, state, upto)
)

-- name: index
-- What finds the counts of now among those of the past.
CREATE INDEX ON {table} (project, type, command, state) WHERE upto = 9223372036854775807

-- name: fold
-- Move each job that changed its state behind one position up to another from its old count to its new, and answer how many events it took.
WITH stored AS MATERIALIZED (
  SELECT s.originator_id AS job_id, s.originator_version AS version, s.notification_id AS position, s.topic, s.project,
         CASE WHEN s.topic = 'job.created' THEN b.body -> 'event' END AS event,
         s.topic IN ('job.created', 'job.queued', 'job.started', 'job.succeeded', 'job.failed', 'job.canceled') AS moves,
         s.topic IN ('job.created', 'job.queued', 'job.started', 'job.progressed', 'job.noted', 'job.items_reported',
                     'job.succeeded', 'job.failed', 'job.canceled', 'job.erased')
           AND (s.topic = 'job.created') = (s.originator_version = 1) AND NOT b.body ? 'class_version' AS known
  FROM ledger.stored_events s
  CROSS JOIN LATERAL (SELECT {s_body} AS body OFFSET 0) b
  WHERE s.notification_id > %(from)s AND s.notification_id <= %(to)s
), moved AS (
  -- Every move counts, those within the range too, so that the rows do not depend on how the log was cut into ranges.
  SELECT job_id, topic AS entered, version, position, lag(topic) OVER (PARTITION BY job_id ORDER BY version) AS left
  FROM stored WHERE moves
), crossed AS (
  -- Where a job stood before the range is looked up in the log, so that this read model needs no other.
  SELECT m.job_id, m.entered, m.position, coalesce(m.left, before.topic) AS left
  FROM moved m
  LEFT JOIN LATERAL (
    -- Only where the range does not say it: outside, the condition would be tried after looking.
    SELECT e.topic FROM ledger.stored_events e
    WHERE m.left IS NULL AND m.version > 1 AND e.originator_id = m.job_id AND e.originator_version < m.version
      AND e.topic IN ('job.created', 'job.queued', 'job.started', 'job.succeeded', 'job.failed', 'job.canceled')
    ORDER BY e.originator_version DESC LIMIT 1
  ) before ON true
), told AS MATERIALIZED (
  -- What a job is about is said once, when it is created; read again only of older jobs that moved.
  SELECT job_id, project, event ->> 'type' AS type, coalesce(event ->> 'command', '') AS command
  FROM stored WHERE version = 1 AND topic = 'job.created'
  UNION ALL
  SELECT x.job_id, c.project, b.event ->> 'type', coalesce(b.event ->> 'command', '')
  FROM (SELECT job_id, bool_or(moves) AS moves FROM stored GROUP BY job_id HAVING min(version) > 1) x
  JOIN ledger.stored_events c ON c.originator_id = x.job_id AND c.originator_version = 1 AND c.topic = 'job.created'
  CROSS JOIN LATERAL (SELECT CASE WHEN x.moves THEN {c_body} -> 'event' END AS event OFFSET 0) b
), delta AS (
  SELECT t.project, t.type, t.command,
         CASE n.topic WHEN 'job.created' THEN 'Created' WHEN 'job.queued' THEN 'Queued' WHEN 'job.started' THEN 'Processing'
                      WHEN 'job.succeeded' THEN 'Succeeded' WHEN 'job.failed' THEN 'Failed' WHEN 'job.canceled' THEN 'Canceled'
         END AS state,
         (x.position + %(stretch)s::bigint - 1) / %(stretch)s::bigint * %(stretch)s::bigint AS upto, sum(n.jobs) AS jobs
  FROM crossed x
  JOIN told t USING (job_id)
  CROSS JOIN LATERAL (VALUES (x.entered, 1), (x.left, -1)) n (topic, jobs)
  WHERE n.topic IS NOT NULL
  GROUP BY 1, 2, 3, 4, 5
), summed AS (
  SELECT d.project, d.type, d.command, d.state, d.upto, coalesce(c.jobs, 0) + sum(d.jobs) OVER so_far AS jobs,
         lead(d.upto) OVER so_far IS NULL AS last
  FROM delta d
  LEFT JOIN {table} c ON (c.project, c.type, c.command, c.state) = (d.project, d.type, d.command, d.state) AND c.upto = 9223372036854775807
  WINDOW so_far AS (PARTITION BY d.project, d.type, d.command, d.state ORDER BY d.upto)
), counted AS (
  INSERT INTO {table} (project, type, command, state, upto, jobs)
  SELECT project, type, command, state, upto, jobs FROM summed
  UNION ALL SELECT project, type, command, state, 9223372036854775807, jobs FROM summed WHERE last
  ON CONFLICT (project, type, command, state, upto) DO UPDATE SET jobs = excluded.jobs
)
-- Events of a job whose creation is nowhere are not taken.
SELECT count(*) FILTER (WHERE known) FROM stored WHERE job_id IN (SELECT job_id FROM told)

-- name: cut
-- Which counts of a scratch table, folded up to a position, are not those of the stays that the live history has at that position; or, of the
-- stretches that ended by then, not those that the live table has.
SELECT coalesce(s.project, h.project) AS of_project, coalesce(s.project, h.project) AS project, coalesce(s.type, h.type) AS type,
       coalesce(s.command, h.command) AS command, coalesce(s.state, h.state) AS state, coalesce(s.upto, h.upto) AS upto
FROM (SELECT * FROM {scratch} WHERE upto = 9223372036854775807 OR upto <= %(to)s) s
FULL JOIN (
  SELECT j.project, j.type, coalesce(j.command, '') AS command, stay.state, 9223372036854775807 AS upto, count(*) AS jobs
  FROM projections.job_states stay JOIN projections.jobs j ON j.id = stay.job_id
  WHERE stay.position <= %(to)s AND coalesce(stay.left_position > %(to)s, true)
  GROUP BY 1, 2, 3, 4
  UNION ALL SELECT project, type, command, state, upto, jobs FROM {live} WHERE upto <= %(to)s
) h ON (h.project, h.type, h.command, h.state, h.upto) = (s.project, s.type, s.command, s.state, s.upto)
WHERE CASE WHEN coalesce(s.upto, h.upto) = 9223372036854775807 THEN coalesce(s.jobs, 0) <> coalesce(h.jobs, 0) ELSE s.jobs IS DISTINCT FROM h.jobs END
