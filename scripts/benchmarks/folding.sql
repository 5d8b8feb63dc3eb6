-- name: jobs
-- The current state of jobs that were created, queued, started and succeeded, in one statement.
INSERT INTO control.jobs (id, project, number, type, command, object, owner, request_id, source_id, description, detail, state, kind, final,
                          version, position, attempts, progress, error_count, messages, items_total, items_succeeded, items_failed,
                          created_at, updated_at, started_at, ended_at, ended_by, failures, history)
SELECT c.originator_id, c.project, (b.event ->> 'number')::bigint, b.event ->> 'type', b.event ->> 'command', b.event ->> 'object',
       b.event ->> 'owner', b.event ->> 'request_id', b.event ->> 'source_id', b.event ->> 'description',
       convert_from(c.state, 'UTF8')::json -> 'event' -> 'detail', l.state, NULL, false, l.version, l.position, l.attempts,
       CASE l.state WHEN 'Succeeded' THEN 1 ELSE 0 END, 0, '[]', NULL, 0, 0, c.recorded_at, l.updated_at, l.started_at, l.ended_at, l.ended_by, 0, l.history
FROM ledger.stored_events c
CROSS JOIN LATERAL (SELECT convert_from(c.state, 'UTF8')::jsonb -> 'event' AS event OFFSET 0) b
JOIN (
  SELECT originator_id, max(originator_version) AS version, max(notification_id) AS position, max(recorded_at) AS updated_at,
         count(*) FILTER (WHERE topic = 'job.started') AS attempts,
         min(recorded_at) FILTER (WHERE topic = 'job.started') AS started_at,
         max(recorded_at) FILTER (WHERE topic = 'job.succeeded') AS ended_at,
         max(convert_from(state, 'UTF8')::jsonb ->> 'actor') FILTER (WHERE topic = 'job.succeeded') AS ended_by,
         CASE max(originator_version) WHEN 1 THEN 'Created' WHEN 2 THEN 'Queued' WHEN 3 THEN 'Processing' ELSE 'Succeeded' END AS state,
         string_agg('{"position":' || notification_id || ',"version":' || originator_version || ',"state":"'
           || CASE topic WHEN 'job.created' THEN 'Created' WHEN 'job.queued' THEN 'Queued' WHEN 'job.started' THEN 'Processing' ELSE 'Succeeded' END
           || '","at":"' || replace(to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || 'Z', '.000000Z', 'Z')
           || '","recorded_at":"' || replace(to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || 'Z', '.000000Z', 'Z')
           || '","actor":' || to_json(convert_from(state, 'UTF8')::jsonb ->> 'actor')::text || ',"note":null,"source_id":null,"kind":null,"final":false}',
           ',' ORDER BY originator_version) AS history
  FROM ledger.stored_events GROUP BY originator_id
) l ON l.originator_id = c.originator_id
WHERE c.originator_version = 1

-- name: job_states
-- The stays of the same jobs, in one statement.
INSERT INTO control.job_states (job_id, version, project, position, state, kind, final, at, recorded_at, actor, note, source_id,
                                left_position, left_at)
SELECT originator_id, originator_version, project, notification_id,
       CASE topic WHEN 'job.created' THEN 'Created' WHEN 'job.queued' THEN 'Queued' WHEN 'job.started' THEN 'Processing' ELSE 'Succeeded' END,
       NULL, false, recorded_at, recorded_at, b.body ->> 'actor', b.body ->> 'note', b.body ->> 'source_id',
       lead(notification_id) OVER later, lead(recorded_at) OVER later
FROM ledger.stored_events s
CROSS JOIN LATERAL (SELECT convert_from(s.state, 'UTF8')::jsonb AS body OFFSET 0) b
WINDOW later AS (PARTITION BY originator_id ORDER BY originator_version)

-- name: job_counts
-- How many of the same jobs there are of each kind and in each span of creation times, and were at the end of each stretch of positions, in one statement.
INSERT INTO control.job_counts (project, span_s, span_upto, type, command, upto, latest, created, queued, processing, succeeded, failed, canceled)
WITH told AS (
  SELECT c.originator_id, b.event ->> 'type' AS type, coalesce(b.event ->> 'command', '') AS command,
         ((extract(epoch FROM c.recorded_at) * 1000000)::bigint + 62135596800000000) / 300000000 AS nth
  FROM ledger.stored_events c
  CROSS JOIN LATERAL (SELECT convert_from(c.state, 'UTF8')::jsonb -> 'event' AS event OFFSET 0) b
  WHERE c.originator_version = 1
), moved AS (
  SELECT s.project, t.type, t.command, t.nth, (s.notification_id + 1023) / 1024 * 1024 AS upto,
         count(*) FILTER (WHERE s.originator_version = 1) AS created, count(*) FILTER (WHERE s.originator_version = 2) AS queued,
         count(*) FILTER (WHERE s.originator_version = 3) AS started, count(*) FILTER (WHERE s.originator_version = 4) AS succeeded
  FROM ledger.stored_events s
  JOIN told t USING (originator_id)
  GROUP BY 1, 2, 3, 4, 5
), counted AS (
  SELECT m.project, w.span_s, w.span_upto, w.type, w.command, m.upto, (sum(m.created) - sum(m.queued))::bigint AS created,
         (sum(m.queued) - sum(m.started))::bigint AS queued, (sum(m.started) - sum(m.succeeded))::bigint AS processing,
         sum(m.succeeded)::bigint AS succeeded
  FROM moved m
  CROSS JOIN LATERAL (
    SELECT 0 AS span_s, 0::bigint AS span_upto, m.type, m.command
    UNION ALL SELECT w.span_s, (m.nth / (w.span_s / 300) + 1) * w.span_s * 1000000, '', '' FROM unnest(ARRAY[300, 14400, 691200, 33177600]) w (span_s)
  ) w
  GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT project, span_s, span_upto, type, command, upto, lead(upto) OVER so_far IS NULL, sum(created) OVER so_far, sum(queued) OVER so_far,
       sum(processing) OVER so_far, sum(succeeded) OVER so_far, 0, 0
FROM counted
WINDOW so_far AS (PARTITION BY project, span_s, span_upto, type, command ORDER BY upto)

-- name: job_revisions
-- How the same jobs stood after each of their events, and how many jobs there were at each creation, in one statement.
INSERT INTO control.job_revisions (job_id, position, version, project, number, outcome, failures, updated_at, happened_at, topic, actor,
                                   credential_id, jobs, created_to, number_to, id_to)
SELECT s.originator_id, s.notification_id, s.originator_version, s.project, c.number,
       CASE s.topic WHEN 'job.created' THEN 'Created' WHEN 'job.queued' THEN 'Queued' WHEN 'job.started' THEN 'Processing' ELSE 'Succeeded' END,
       0, s.recorded_at, s.recorded_at, s.topic, convert_from(s.state, 'UTF8')::jsonb ->> 'actor', s.credential_id,
       b.jobs, b.created_to, b.number_to, b.id_to
FROM ledger.stored_events s
JOIN (
  SELECT originator_id, (convert_from(state, 'UTF8')::jsonb -> 'event' ->> 'number')::bigint AS number
  FROM ledger.stored_events WHERE originator_version = 1
) c ON c.originator_id = s.originator_id
LEFT JOIN (
  SELECT notification_id, row_number() OVER births AS jobs, max(recorded_at) OVER births AS created_to, max(number) OVER births AS number_to,
         (max(originator_id::text COLLATE "C") OVER births)::uuid AS id_to
  FROM (
    SELECT notification_id, originator_id, project, recorded_at, (convert_from(state, 'UTF8')::jsonb -> 'event' ->> 'number')::bigint AS number
    FROM ledger.stored_events WHERE originator_version = 1
  ) n
  WINDOW births AS (PARTITION BY project ORDER BY notification_id ROWS UNBOUNDED PRECEDING)
) b ON b.notification_id = s.notification_id

-- name: forget
-- Readers no longer see this read model.
DELETE FROM projections.live WHERE name = %s

-- name: drop
-- Begin anew.
DROP TABLE IF EXISTS {control}

-- name: like
-- The same columns, constraints and indexes.
CREATE TABLE {control} (LIKE {table} INCLUDING ALL)

-- name: differing
-- How many rows there are, and how many stand in one of the two tables only.
WITH ours AS (SELECT t::text AS line FROM {table} t), theirs AS (SELECT t::text AS line FROM {control} t)
SELECT (SELECT count(*) FROM ours),
       (SELECT count(*) FROM ((TABLE ours EXCEPT ALL TABLE theirs) UNION ALL (TABLE theirs EXCEPT ALL TABLE ours)) differing)
