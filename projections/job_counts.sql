-- name: create
-- How many jobs of each kind, by type and command, are in each state; and, where `span_s` is not 0, how many of those of any kind that were created
-- within so many seconds, so that a range of creation times need not be counted: `span_upto` is where such a span ends, in microseconds since the
-- year 1. Each at the end of every stretch of so many positions (COUNTS_STRETCH) in which a job came there or left, `upto`, so that the past need not
-- be counted from the beginning; the `latest` of them is how many there are now. A row stays when it has fallen to 0.
CREATE TABLE {table} (
  project text COLLATE "C" NOT NULL,
  span_s integer NOT NULL,
  span_upto bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  command text COLLATE "C" NOT NULL,
  upto bigint NOT NULL,
  latest boolean NOT NULL,
  created bigint NOT NULL,
  queued bigint NOT NULL,
  processing bigint NOT NULL,
  succeeded bigint NOT NULL,
  failed bigint NOT NULL,
  canceled bigint NOT NULL,
  PRIMARY KEY (project, span_s, span_upto, type, command, upto)
)

-- name: index
-- What finds the counts of now among those of the past.
CREATE INDEX ON {table} (project, span_s, span_upto, type, command) WHERE latest

-- name: fold
-- Move each job that changed its state behind one position up to another from its old count to its new, and answer how many events it took.
WITH stored AS (
  -- Without OFFSET 0, here and below, what is worked out would be so again wherever it is named, or be carried into a sort while it is wide.
  SELECT s.originator_id AS job_id, s.originator_version AS version,
         (s.notification_id + %(stretch)s::bigint - 1) / %(stretch)s::bigint * %(stretch)s::bigint AS upto,
         -- The state it came to, by the number of its column; 0 where it stayed in one, and null where nobody knows.
         CASE s.topic WHEN 'job.created' THEN 1 WHEN 'job.queued' THEN 2 WHEN 'job.started' THEN 3 WHEN 'job.succeeded' THEN 4 WHEN 'job.failed' THEN 5
                      WHEN 'job.canceled' THEN 6 WHEN 'job.progressed' THEN 0 WHEN 'job.noted' THEN 0 WHEN 'job.items_reported' THEN 0
                      WHEN 'job.erased' THEN 0 END AS state,
         -- Of all but creations, which are read below, nothing is asked but whether the body is one, in a shape that is known: that it is JSON is
         -- found out in half the time.
         CASE WHEN s.topic = 'job.created' THEN true
              WHEN position('class_version'::bytea IN s.state) > 0 THEN NOT {s_body} ? 'class_version'
              ELSE convert_from(s.state, 'UTF8')::json IS NOT NULL END AS known
  FROM ledger.stored_events s
  WHERE s.notification_id > %(from)s AND s.notification_id <= %(to)s OFFSET 0
), moved AS (
  -- Job by job, as few as they are within a stretch: of its moves there only the last counts, from where the job stood when the stretch began.
  SELECT job_id, upto, max(version * 8 + state) FILTER (WHERE state > 0) AS last, min(version) AS version,
         count(*) FILTER (WHERE known AND (state = 1) = (version = 1)) AS events
  FROM stored GROUP BY job_id, upto
), crossed AS MATERIALIZED (
  -- Where a job stood before the range is looked up in the log, so that this read model needs no other. `first`: its first version in the range.
  -- Stretches in which it did not move are kept, to count their events.
  SELECT m.job_id, m.upto, m.first, m.entered, coalesce(m.left, before.state) AS left, m.events
  FROM (
    SELECT job_id, upto, coalesce(first_value(version) OVER earlier, version) AS first, last & 7 AS entered,
           CASE WHEN last IS NOT NULL THEN max(last) OVER earlier & 7 END AS left, events
    FROM moved WINDOW earlier AS (PARTITION BY job_id ORDER BY upto ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
  ) m
  LEFT JOIN LATERAL (
    -- Only where the range does not say it: outside, the condition would be tried after looking.
    SELECT CASE e.topic WHEN 'job.created' THEN 1 WHEN 'job.queued' THEN 2 WHEN 'job.started' THEN 3 WHEN 'job.succeeded' THEN 4
                        WHEN 'job.failed' THEN 5 ELSE 6 END AS state
    FROM ledger.stored_events e
    WHERE m.entered IS NOT NULL AND m.left IS NULL AND m.first > 1 AND e.originator_id = m.job_id AND e.originator_version < m.first
      AND e.topic IN ('job.created', 'job.queued', 'job.started', 'job.succeeded', 'job.failed', 'job.canceled')
    ORDER BY e.originator_version DESC LIMIT 1
  ) before ON true
), told AS (
  -- What a job is about is said once, when it is created; read again only of older jobs that moved. `born`: when the shortest of its spans began.
  SELECT job_id, project, event ->> 'type' AS type, coalesce(event ->> 'command', '') AS command,
         date_bin(make_interval(secs => (%(spans_s)s::integer[])[1]), coalesce((event ->> 'created_at')::timestamptz, at),
                  '0001-01-01 00:00:00+00') AS born
  FROM (
    SELECT s.originator_id AS job_id, s.project, coalesce(s.occurred_at, s.recorded_at) AS at, b.body -> 'event' AS event
    FROM ledger.stored_events s
    CROSS JOIN LATERAL (SELECT {s_body} AS body OFFSET 0) b
    WHERE s.notification_id > %(from)s AND s.notification_id <= %(to)s AND s.originator_version = 1 AND s.topic = 'job.created'
      AND NOT b.body ? 'class_version'
    UNION ALL
    SELECT x.job_id, c.project, coalesce(c.occurred_at, c.recorded_at), b.event
    FROM (SELECT job_id, bool_or(entered IS NOT NULL) AS moves FROM crossed WHERE first > 1 GROUP BY job_id) x
    JOIN ledger.stored_events c ON c.originator_id = x.job_id AND c.originator_version = 1 AND c.topic = 'job.created'
    CROSS JOIN LATERAL (SELECT CASE WHEN x.moves THEN {c_body} -> 'event' END AS event OFFSET 0) b
  ) creation OFFSET 0
), delta AS (
  SELECT t.project, t.type, t.command, (extract(epoch FROM t.born)::bigint + 62135596800) / (%(spans_s)s::integer[])[1] AS nth, x.upto,
         (count(*) FILTER (WHERE x.entered = 1) - count(*) FILTER (WHERE x.left = 1))::integer AS created,
         (count(*) FILTER (WHERE x.entered = 2) - count(*) FILTER (WHERE x.left = 2))::integer AS queued,
         (count(*) FILTER (WHERE x.entered = 3) - count(*) FILTER (WHERE x.left = 3))::integer AS processing,
         (count(*) FILTER (WHERE x.entered = 4) - count(*) FILTER (WHERE x.left = 4))::integer AS succeeded,
         (count(*) FILTER (WHERE x.entered = 5) - count(*) FILTER (WHERE x.left = 5))::integer AS failed,
         (count(*) FILTER (WHERE x.entered = 6) - count(*) FILTER (WHERE x.left = 6))::integer AS canceled,
         count(x.entered) AS moves, sum(x.events) AS events
  FROM crossed x
  JOIN told t USING (job_id)
  GROUP BY t.project, t.type, t.command, t.born, x.upto
), changed AS (
  -- Of its kind, and of each span that it lies in: the shortest is the first.
  SELECT d.project, w.span_s, w.span_upto, w.type, w.command, d.upto,
         sum(d.created)::integer AS created, sum(d.queued)::integer AS queued, sum(d.processing)::integer AS processing,
         sum(d.succeeded)::integer AS succeeded, sum(d.failed)::integer AS failed, sum(d.canceled)::integer AS canceled
  FROM delta d
  CROSS JOIN LATERAL (
    SELECT 0 AS span_s, 0::bigint AS span_upto, d.type, d.command
    UNION ALL
    SELECT w.span_s, (d.nth / (w.span_s / (%(spans_s)s::integer[])[1]) + 1) * w.span_s * 1000000, '', '' FROM unnest(%(spans_s)s::integer[]) w (span_s)
  ) w
  WHERE d.moves > 0
  GROUP BY 1, 2, 3, 4, 5, 6
), stood AS (
  -- How many there were before, in each of them.
  SELECT b.* FROM (SELECT DISTINCT project, span_s, span_upto, type, command FROM changed) c
  CROSS JOIN LATERAL (
    SELECT * FROM {table} t
    WHERE (t.project, t.span_s, t.span_upto, t.type, t.command) = (c.project, c.span_s, c.span_upto, c.type, c.command)
    ORDER BY t.upto DESC LIMIT 1
  ) b
), counted AS (
  INSERT INTO {table} (project, span_s, span_upto, type, command, upto, latest, created, queued, processing, succeeded, failed, canceled)
  SELECT project, span_s, span_upto, type, command, upto, lead(upto) OVER so_far IS NULL, sum(sum(created)) OVER so_far,
         sum(sum(queued)) OVER so_far, sum(sum(processing)) OVER so_far, sum(sum(succeeded)) OVER so_far, sum(sum(failed)) OVER so_far,
         sum(sum(canceled)) OVER so_far
  FROM (
    SELECT project, span_s, span_upto, type, command, upto, created, queued, processing, succeeded, failed, canceled FROM changed
    UNION ALL SELECT project, span_s, span_upto, type, command, upto, created, queued, processing, succeeded, failed, canceled FROM stood
  ) c
  GROUP BY project, span_s, span_upto, type, command, upto
  WINDOW so_far AS (PARTITION BY project, span_s, span_upto, type, command ORDER BY upto)
  ON CONFLICT (project, span_s, span_upto, type, command, upto) DO UPDATE
  SET latest = excluded.latest, created = excluded.created, queued = excluded.queued, processing = excluded.processing,
      succeeded = excluded.succeeded, failed = excluded.failed, canceled = excluded.canceled
)
-- Events of a job whose creation is nowhere are not taken.
SELECT coalesce(sum(events), 0)::bigint FROM delta

-- name: cut
-- Which counts of a scratch table, folded up to a position, are not those of the stays that the live history has at that position; or, of the
-- stretches that ended by then, not those that the live table has.
WITH stay AS (
  SELECT j.project, j.type, coalesce(j.command, '') AS command, t.state,
         (extract(epoch FROM j.created_at) * 1000000)::bigint + 62135596800000000 AS at
  FROM projections.job_states t JOIN projections.jobs j ON j.id = t.job_id
  WHERE t.position <= %(to)s AND coalesce(t.left_position > %(to)s, true)
), standing AS (
  SELECT t.project, w.span_s, w.span_upto, w.type, w.command,
         count(*) FILTER (WHERE t.state = 'Created') AS created, count(*) FILTER (WHERE t.state = 'Queued') AS queued,
         count(*) FILTER (WHERE t.state = 'Processing') AS processing, count(*) FILTER (WHERE t.state = 'Succeeded') AS succeeded,
         count(*) FILTER (WHERE t.state = 'Failed') AS failed, count(*) FILTER (WHERE t.state = 'Canceled') AS canceled
  FROM stay t
  CROSS JOIN LATERAL (
    SELECT 0 AS span_s, 0::bigint AS span_upto, t.type, t.command
    UNION ALL
    SELECT w.span_s, (t.at / 1000000 / w.span_s + 1) * w.span_s * 1000000, '', '' FROM unnest(%(spans_s)s::integer[]) w (span_s)
  ) w
  GROUP BY 1, 2, 3, 4, 5
), differing AS (
  SELECT coalesce(s.project, h.project) AS project, coalesce(s.span_s, h.span_s) AS span_s, coalesce(s.span_upto, h.span_upto) AS span_upto,
         coalesce(s.type, h.type) AS type, coalesce(s.command, h.command) AS command, coalesce(s.upto, %(to)s) AS upto
  FROM (
    SELECT * FROM {scratch} WHERE latest AND (created, queued, processing, succeeded, failed, canceled) <> (0, 0, 0, 0, 0, 0)
  ) s
  FULL JOIN standing h ON (h.project, h.span_s, h.span_upto, h.type, h.command) = (s.project, s.span_s, s.span_upto, s.type, s.command)
  WHERE (s.created, s.queued, s.processing, s.succeeded, s.failed, s.canceled)
    IS DISTINCT FROM (h.created, h.queued, h.processing, h.succeeded, h.failed, h.canceled)
  UNION
  SELECT coalesce(s.project, h.project), coalesce(s.span_s, h.span_s), coalesce(s.span_upto, h.span_upto), coalesce(s.type, h.type),
         coalesce(s.command, h.command), coalesce(s.upto, h.upto)
  FROM (SELECT * FROM {scratch} WHERE upto <= %(to)s) s
  FULL JOIN (SELECT * FROM {live} WHERE upto <= %(to)s) h
    ON (h.project, h.span_s, h.span_upto, h.type, h.command, h.upto) = (s.project, s.span_s, s.span_upto, s.type, s.command, s.upto)
  WHERE (s.created, s.queued, s.processing, s.succeeded, s.failed, s.canceled)
    IS DISTINCT FROM (h.created, h.queued, h.processing, h.succeeded, h.failed, h.canceled)
)
SELECT project AS of_project, d.* FROM differing d
