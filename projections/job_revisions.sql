-- name: create
-- What a list may ask of a job that changes in its life, after each of its events. Rows are only ever added: which of them holds at a position is
-- the last one up to it, so that what was said of a position stays said.
CREATE TABLE {table} (
  job_id uuid NOT NULL,
  position bigint NOT NULL,
  version bigint NOT NULL,
  project text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  failures integer NOT NULL,
  updated_at timestamptz NOT NULL,
  happened_at timestamptz NOT NULL,
  topic text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  credential_id text COLLATE "C",
  -- Of a creation: how many jobs the project has then, and the last time, number and id of any of them, so that a list of the past need not walk
  -- through what came later.
  jobs bigint,
  created_to timestamptz,
  number_to bigint,
  id_to uuid,
  -- Whether the job is said to have changed later than its record, and a second: by `updated_at` alone it would be looked for too late.
  ahead boolean,
  PRIMARY KEY (job_id, position)
);
-- With the table, since each fold looks here for how many jobs a project has by then.
CREATE INDEX ON {table} (project, position) WHERE jobs IS NOT NULL

-- name: index
-- What serves an order by the time of the last change, and who asks what somebody did, or who canceled.
CREATE INDEX ON {table} (project, updated_at, number);
CREATE INDEX ON {table} (project, actor, position);
CREATE INDEX ON {table} (project, credential_id, position) WHERE credential_id IS NOT NULL;
CREATE INDEX ON {table} (project, position) WHERE topic = 'job.canceled';
CREATE INDEX ON {table} (project, position) WHERE ahead

-- name: fold
-- Add a row for each event behind one position up to another, each resting on the one before it, and answer how many events it took.
WITH stored AS MATERIALIZED (
  SELECT s.originator_id AS job_id, s.originator_version AS version, s.notification_id AS position, s.project, s.topic,
         b.body ->> 'actor' AS actor, s.credential_id,
         coalesce(s.occurred_at, CASE WHEN b.body -> 'imported' = 'true' THEN NULL ELSE s.recorded_at END) AS at,
         CASE WHEN s.topic = 'job.created' THEN (b.body -> 'event' ->> 'created_at')::timestamptz END AS created_at, s.recorded_at,
         CASE WHEN s.topic = 'job.created' THEN (b.body -> 'event' ->> 'number')::bigint END AS number,
         CASE s.topic WHEN 'job.created' THEN 'Created' WHEN 'job.queued' THEN 'Queued' WHEN 'job.started' THEN 'Processing'
                      WHEN 'job.succeeded' THEN 'Succeeded' WHEN 'job.canceled' THEN 'Canceled'
                      WHEN 'job.failed' THEN
                        CASE WHEN NOT coalesce((b.body -> 'event' ->> 'final')::boolean, true) THEN 'Retrying'
                             WHEN b.body -> 'event' ->> 'kind' = 'rejected' THEN 'Rejected'
                             WHEN b.body -> 'event' ->> 'kind' = 'item_errors' THEN 'Incomplete' ELSE 'Failed' END
         END AS entered,
         s.topic IN ('job.created', 'job.queued', 'job.started', 'job.progressed', 'job.noted', 'job.items_reported',
                     'job.succeeded', 'job.failed', 'job.canceled', 'job.erased')
           AND (s.topic = 'job.created') = (s.originator_version = 1) AND NOT b.body ? 'class_version'
           AND coalesce(b.body -> 'event' ->> 'kind' IN ('rejected', 'exception', 'item_errors'), true) AS known
  FROM ledger.stored_events s
  CROSS JOIN LATERAL (SELECT {s_body} AS body OFFSET 0) b
  WHERE s.notification_id > %(from)s AND s.notification_id <= %(to)s
), before AS MATERIALIZED (
  -- How each older job stood.
  SELECT c.job_id, r.number, r.outcome, r.failures, r.updated_at, r.happened_at
  FROM (
    SELECT job_id, min(version) AS first_version FROM stored WHERE job_id NOT IN (SELECT job_id FROM stored WHERE version = 1) GROUP BY job_id
  ) c
  CROSS JOIN LATERAL (
    SELECT * FROM {table} t WHERE t.job_id = c.job_id AND t.position <= %(from)s ORDER BY t.position DESC LIMIT 1
  ) r
  WHERE r.version = c.first_version - 1
), timed AS (
  -- Which of a job's events here, counted from its first, set the time and the outcome last.
  SELECT s.*, coalesce(s.at, s.created_at, CASE WHEN s.version = 1 THEN s.recorded_at END) AS updated,
         (max(s.version) FILTER (WHERE s.at IS NOT NULL OR s.version = 1) OVER life - min(s.version) OVER life + 1)::integer AS time_nth,
         (max(s.version) FILTER (WHERE s.entered IS NOT NULL) OVER life - min(s.version) OVER life + 1)::integer AS outcome_nth,
         count(*) FILTER (WHERE s.topic = 'job.failed') OVER life AS failed
  FROM stored s
  WINDOW life AS (PARTITION BY s.job_id ORDER BY s.version ROWS UNBOUNDED PRECEDING)
), grown AS (
  SELECT t.job_id, t.position, t.version, t.project, t.topic, t.actor, t.credential_id,
         coalesce(b.number, first_value(t.number) OVER life) AS number,
         coalesce(nth_value(t.entered, t.outcome_nth) OVER life, b.outcome) AS outcome,
         (coalesce(b.failures, 0) + t.failed)::integer AS failures,
         coalesce(nth_value(t.updated, t.time_nth) OVER life, b.updated_at) AS updated_at,
         -- Nothing happens before what it rests on, so a claim that is earlier than its predecessor's is taken for that one.
         greatest(b.happened_at, max(greatest(t.updated, t.created_at)) OVER life) AS happened_at, t.recorded_at
  FROM timed t LEFT JOIN before b USING (job_id)
  WHERE b.job_id IS NOT NULL OR t.job_id IN (SELECT job_id FROM stored WHERE version = 1)
  WINDOW life AS (PARTITION BY t.job_id ORDER BY t.version ROWS UNBOUNDED PRECEDING)
), births AS (
  SELECT t.job_id, t.project, t.position, t.number, coalesce(t.created_at, t.at, t.recorded_at) AS created_at,
         coalesce(p.jobs, 0) AS jobs, p.created_to, p.number_to, p.id_to
  FROM stored t
  LEFT JOIN LATERAL (
    SELECT b.* FROM {table} b
    WHERE b.project = t.project AND b.jobs IS NOT NULL AND b.position <= %(from)s ORDER BY b.position DESC LIMIT 1
  ) p ON true
  WHERE t.version = 1
), peopled AS (
  SELECT b.job_id, b.jobs + row_number() OVER project AS jobs,
         greatest(b.created_to, max(b.created_at) OVER project) AS created_to, greatest(b.number_to, max(b.number) OVER project) AS number_to,
         -- Ids have no max() before PostgreSQL 18; their texts lie in the same order.
         greatest(b.id_to, (max(b.job_id::text COLLATE "C") OVER project)::uuid) AS id_to
  FROM births b WINDOW project AS (PARTITION BY b.project ORDER BY b.position ROWS UNBOUNDED PRECEDING)
), born AS (
  INSERT INTO {table} (job_id, position, version, project, number, outcome, failures, updated_at, happened_at, topic, actor,
                       credential_id, jobs, created_to, number_to, id_to, ahead)
  SELECT g.job_id, position, version, project, number, CASE WHEN outcome = 'Failed' AND failures > 1 THEN 'Exhausted' ELSE outcome END, failures,
         updated_at, happened_at, topic, actor, credential_id, p.jobs, p.created_to, p.number_to, p.id_to,
         CASE WHEN updated_at > recorded_at + interval '1 second' THEN true END
  FROM grown g LEFT JOIN peopled p ON p.job_id = g.job_id AND g.version = 1
)
-- Events of a job whose creation is nowhere are not taken.
SELECT count(*) FILTER (WHERE known) FROM stored
WHERE job_id IN (SELECT job_id FROM before) OR job_id IN (SELECT job_id FROM stored WHERE version = 1)

-- name: cut
-- Which rows of a scratch table, folded up to a position, are not those that the live table has up to it.
SELECT coalesce(s.project, j.project) AS of_project, coalesce(s.job_id, j.job_id) AS job_id, coalesce(s.position, j.position) AS position
FROM {scratch} s
FULL JOIN (SELECT * FROM {live} WHERE position <= %(to)s) j ON j.job_id = s.job_id AND j.position = s.position
WHERE s::text IS DISTINCT FROM j::text

-- name: erase
-- Read the names again that erasures behind one position up to another took out of the bodies.
UPDATE {table} t
SET actor = ledger.body(s.state) ->> 'actor'
FROM ledger.stored_events s
WHERE s.originator_id = t.job_id AND s.originator_version = t.version AND t.job_id IN (
  SELECT originator_id FROM ledger.stored_events
  WHERE topic = 'job.erased' AND notification_id > %(from)s AND notification_id <= %(to)s)
