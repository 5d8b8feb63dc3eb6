-- name: create
-- How many jobs there are of each kind in each state: now, where `upto` is the largest bigint, and at the end of each stretch of so many positions
-- (COUNTS_STRETCH) in which a job came there or left, so that the past need not be counted from the beginning. A row stays when it has fallen to 0.
-- Beside them, where `span_s` is not 0, how many there are now of those that were created within so many seconds, of any kind, and how they stand, so
-- that a range of creation times need not be counted: `upto` is then where the span ends, in microseconds since the year 1.
CREATE TABLE {table} (
  project text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  command text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  span_s integer NOT NULL,
  upto bigint NOT NULL,
  jobs bigint NOT NULL,
  created bigint,
  queued bigint,
  processing bigint,
  succeeded bigint,
  failed bigint,
  canceled bigint,
  PRIMARY KEY (project, type, command, state, span_s, upto)
)

-- name: index
-- What finds the counts of now among those of the past.
CREATE INDEX ON {table} (project, type, command, state) WHERE upto = 9223372036854775807

-- name: fold
-- Move each job that changed its state behind one position up to another from its old count to its new, and answer how many events it took.
WITH stored AS MATERIALIZED (
  SELECT s.originator_id AS job_id, s.originator_version AS version, s.notification_id AS position, s.topic, s.project,
         CASE WHEN s.topic = 'job.created' THEN b.body -> 'event' END AS event, coalesce(s.occurred_at, s.recorded_at) AS at,
         s.topic IN ('job.created', 'job.queued', 'job.started', 'job.succeeded', 'job.failed', 'job.canceled') AS moves,
         s.topic IN ('job.created', 'job.queued', 'job.started', 'job.progressed', 'job.noted', 'job.items_reported',
                     'job.succeeded', 'job.failed', 'job.canceled', 'job.erased')
           AND (s.topic = 'job.created') = (s.originator_version = 1) AND NOT coalesce(b.body ? 'class_version', b.plain IS NULL) AS known
  FROM ledger.stored_events s
  CROSS JOIN LATERAL (
    -- Of a move nothing is asked but whether its body is one, in a shape that is known: that it is JSON is found out in half the time.
    SELECT CASE WHEN p.asked THEN {s_body} END AS body, CASE WHEN NOT p.asked THEN convert_from(s.state, 'UTF8')::json END AS plain
    FROM (SELECT s.topic = 'job.created' OR position('class_version'::bytea IN s.state) > 0 AS asked) p OFFSET 0
  ) b
  WHERE s.notification_id > %(from)s AND s.notification_id <= %(to)s
), moved AS (
  -- Every move counts, those within the range too, so that the rows do not depend on how the log was cut into ranges.
  SELECT job_id, topic AS entered, version, position, lag(topic) OVER lives AS left, lead(topic) OVER lives IS NULL AS last
  FROM stored WHERE moves WINDOW lives AS (PARTITION BY job_id ORDER BY version)
), crossed AS (
  -- Where a job stood before the range is looked up in the log, so that this read model needs no other.
  SELECT m.job_id, m.entered, m.position, coalesce(m.left, before.topic) AS left, m.left IS NULL AS first, m.last
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
  SELECT job_id, project, event ->> 'type' AS type, coalesce(event ->> 'command', '') AS command,
         coalesce((event ->> 'created_at')::timestamptz, at) AS created_at
  FROM stored WHERE version = 1 AND topic = 'job.created'
  UNION ALL
  SELECT x.job_id, c.project, b.event ->> 'type', coalesce(b.event ->> 'command', ''),
         CASE WHEN x.moves THEN coalesce((b.event ->> 'created_at')::timestamptz, c.occurred_at, c.recorded_at) END
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
  INSERT INTO {table} (project, type, command, state, span_s, upto, jobs)
  SELECT project, type, command, state, 0, upto, jobs FROM summed
  UNION ALL SELECT project, type, command, state, 0, 9223372036854775807, jobs FROM summed WHERE last
  ON CONFLICT (project, type, command, state, span_s, upto) DO UPDATE SET jobs = excluded.jobs
), stood AS MATERIALIZED (
  -- Of all that a job did in the range only how it stood before and how it stands behind it matters to the spans. The shortest comes first.
  SELECT t.project, m.at / (%(spans_s)s::integer[])[1] / 1000000 AS nth,
         sum(n.jobs) AS jobs, sum(n.jobs) FILTER (WHERE n.topic = 'job.created') AS created, sum(n.jobs) FILTER (WHERE n.topic = 'job.queued') AS queued,
         sum(n.jobs) FILTER (WHERE n.topic = 'job.started') AS processing, sum(n.jobs) FILTER (WHERE n.topic = 'job.succeeded') AS succeeded,
         sum(n.jobs) FILTER (WHERE n.topic = 'job.failed') AS failed, sum(n.jobs) FILTER (WHERE n.topic = 'job.canceled') AS canceled
  FROM crossed x
  JOIN told t USING (job_id)
  CROSS JOIN LATERAL (SELECT (extract(epoch FROM t.created_at) * 1000000)::bigint + 62135596800000000 AS at) m
  CROSS JOIN LATERAL (VALUES (x.entered, 1, x.last), (x.left, -1, x.first)) n (topic, jobs, counts)
  WHERE n.counts AND n.topic IS NOT NULL
  GROUP BY 1, 2
), spanned AS (
  INSERT INTO {table} AS c (project, type, command, state, span_s, upto, jobs, created, queued, processing, succeeded, failed, canceled)
  SELECT s.project, '', '', '', w.span_s, w.upto, sum(s.jobs), coalesce(sum(s.created), 0), coalesce(sum(s.queued), 0),
         coalesce(sum(s.processing), 0), coalesce(sum(s.succeeded), 0), coalesce(sum(s.failed), 0), coalesce(sum(s.canceled), 0)
  FROM stood s
  CROSS JOIN LATERAL (
    SELECT w.span_s, (s.nth / (w.span_s / (%(spans_s)s::integer[])[1]) + 1) * w.span_s * 1000000 AS upto FROM unnest(%(spans_s)s::integer[]) w (span_s)
  ) w
  GROUP BY s.project, w.span_s, w.upto
  ON CONFLICT (project, type, command, state, span_s, upto) DO UPDATE
  SET jobs = c.jobs + excluded.jobs, created = c.created + excluded.created, queued = c.queued + excluded.queued,
      processing = c.processing + excluded.processing, succeeded = c.succeeded + excluded.succeeded, failed = c.failed + excluded.failed,
      canceled = c.canceled + excluded.canceled
)
-- Events of a job whose creation is nowhere are not taken.
SELECT count(*) FILTER (WHERE known) FROM stored WHERE job_id IN (SELECT job_id FROM told)

-- name: cut
-- Which counts of a scratch table, folded up to a position, are not those of the stays that the live history has at that position; or, of the
-- stretches that ended by then, not those that the live table has.
WITH stay AS (
  SELECT j.project, j.type, coalesce(j.command, '') AS command, t.state,
         (extract(epoch FROM j.created_at) * 1000000)::bigint + 62135596800000000 AS at
  FROM projections.job_states t JOIN projections.jobs j ON j.id = t.job_id
  WHERE t.position <= %(to)s AND coalesce(t.left_position > %(to)s, true)
)
SELECT coalesce(s.project, h.project) AS of_project, coalesce(s.project, h.project) AS project, coalesce(s.type, h.type) AS type,
       coalesce(s.command, h.command) AS command, coalesce(s.state, h.state) AS state, coalesce(s.span_s, h.span_s) AS span_s,
       coalesce(s.upto, h.upto) AS upto
FROM (SELECT * FROM {scratch} WHERE span_s > 0 OR upto = 9223372036854775807 OR upto <= %(to)s) s
FULL JOIN (
  SELECT project, type, command, state, 0 AS span_s, 9223372036854775807 AS upto, count(*) AS jobs, NULL::bigint AS created, NULL::bigint AS queued,
         NULL::bigint AS processing, NULL::bigint AS succeeded, NULL::bigint AS failed, NULL::bigint AS canceled
  FROM stay GROUP BY 1, 2, 3, 4
  UNION ALL
  SELECT t.project, '', '', '', w.span_s, w.upto, count(*), count(*) FILTER (WHERE t.state = 'Created'),
         count(*) FILTER (WHERE t.state = 'Queued'), count(*) FILTER (WHERE t.state = 'Processing'), count(*) FILTER (WHERE t.state = 'Succeeded'),
         count(*) FILTER (WHERE t.state = 'Failed'), count(*) FILTER (WHERE t.state = 'Canceled')
  FROM stay t
  CROSS JOIN LATERAL (
    SELECT w.span_s, (t.at / 1000000 / w.span_s + 1) * w.span_s * 1000000 AS upto FROM unnest(%(spans_s)s::integer[]) w (span_s)
  ) w
  GROUP BY t.project, w.span_s, w.upto
  UNION ALL SELECT * FROM {live} WHERE span_s = 0 AND upto <= %(to)s
) h ON (h.project, h.type, h.command, h.state, h.span_s, h.upto) = (s.project, s.type, s.command, s.state, s.span_s, s.upto)
WHERE CASE WHEN coalesce(s.span_s, h.span_s) > 0 THEN s IS DISTINCT FROM h
           WHEN coalesce(s.upto, h.upto) = 9223372036854775807 THEN coalesce(s.jobs, 0) <> coalesce(h.jobs, 0)
           ELSE s.jobs IS DISTINCT FROM h.jobs END
