-- name: create
-- History: one row for each stay of a job in a state, from the event that began it to the event that ended it.
CREATE TABLE {table} (
  job_id uuid NOT NULL,
  version bigint NOT NULL,
  project text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  state text COLLATE "C" NOT NULL,
  kind text COLLATE "C" CHECK (kind IN ('rejected', 'exception', 'item_errors')),
  final boolean NOT NULL,
  at timestamptz,
  recorded_at timestamptz NOT NULL,
  actor text NOT NULL,
  note text,
  source_id text,
  left_position bigint,
  left_at timestamptz,
  -- The power of two that its length in positions reaches; 63 while it has no end. What holds at a position P and lasts less than 2^(k+1)
  -- began behind P - 2^(k+1): so the stays in effect at any position are found by one short range for each k, at any depth of history.
  lasting smallint NOT NULL GENERATED ALWAYS AS (
    CASE WHEN left_position IS NULL THEN 63 ELSE 64 - position(B'1' IN (left_position - position)::bit(64)) END
  ) STORED,
  PRIMARY KEY (job_id, version)
)

-- name: index
-- What finds the stays in a state that are, or at any position were, in effect.
CREATE INDEX ON {table} (project, state, lasting, position)

-- name: fold
-- Add the stays that events behind one position up to another began, close those before them, and answer how many events it took.
WITH stored AS MATERIALIZED (
  SELECT s.originator_id AS job_id, s.originator_version AS version, s.notification_id AS position, s.project, s.recorded_at,
         coalesce(s.occurred_at, CASE WHEN b.body -> 'imported' = 'true' THEN NULL ELSE s.recorded_at END) AS at,
         b.body ->> 'actor' AS actor, b.body ->> 'note' AS note, b.body ->> 'source_id' AS source_id,
         CASE s.topic WHEN 'job.created' THEN 'Created' WHEN 'job.queued' THEN 'Queued' WHEN 'job.started' THEN 'Processing'
                      WHEN 'job.succeeded' THEN 'Succeeded' WHEN 'job.failed' THEN 'Failed' WHEN 'job.canceled' THEN 'Canceled'
         END AS state,
         CASE WHEN s.topic = 'job.failed' THEN coalesce(b.body -> 'event' ->> 'kind', 'exception') END AS kind,
         s.topic = 'job.failed' AND coalesce((b.body -> 'event' ->> 'final')::boolean, true) AS final,
         -- What was written in a shape that this fold does not know is not counted, and the count tells.
         s.topic IN ('job.created', 'job.queued', 'job.started', 'job.progressed', 'job.noted', 'job.items_reported',
                     'job.succeeded', 'job.failed', 'job.canceled', 'job.erased')
           AND (s.topic = 'job.created') = (s.originator_version = 1) AND NOT b.body ? 'class_version' AS known
  FROM ledger.stored_events s
  CROSS JOIN LATERAL (SELECT {s_body} AS body OFFSET 0) b
  WHERE s.notification_id > %(from)s AND s.notification_id <= %(to)s
), older AS MATERIALIZED (
  -- Jobs that were created before: the stay in which each is found, and the first that begins here. Positions grow with the versions of a job.
  -- NOT IN, which is looked up in a hash whatever a kept plan believes: an anti-join of what looks like one row would compare all with all.
  SELECT o.job_id, o.events, o.left_position, o.left_at, stay.version
  FROM (
    SELECT job_id, count(*) FILTER (WHERE known) AS events, min(version) AS first_version, min(position) FILTER (WHERE state IS NOT NULL) AS left_position,
           (array_agg(at ORDER BY version) FILTER (WHERE state IS NOT NULL))[1] AS left_at
    FROM stored WHERE job_id NOT IN (SELECT job_id FROM stored WHERE version = 1) GROUP BY job_id
  ) o
  LEFT JOIN LATERAL (
    SELECT t.version FROM {table} t
    WHERE t.job_id = o.job_id AND t.version < o.first_version ORDER BY t.version DESC LIMIT 1
  ) stay ON true
), closed AS (
  UPDATE {table} t SET left_position = o.left_position, left_at = o.left_at
  FROM older o WHERE o.left_position IS NOT NULL AND t.job_id = o.job_id AND t.version = o.version
), born AS (
  INSERT INTO {table} (job_id, version, project, position, state, kind, final, at, recorded_at, actor, note, source_id,
                       left_position, left_at)
  SELECT job_id, version, project, position, state, kind, final, at, recorded_at, actor, note, source_id,
         lead(position) OVER later, lead(at) OVER later
  FROM stored WHERE state IS NOT NULL WINDOW later AS (PARTITION BY job_id ORDER BY version)
)
-- Events of a job whose creation is nowhere are not taken.
SELECT (SELECT count(*) FROM stored WHERE known) - coalesce(sum(events) FILTER (WHERE version IS NULL), 0)::bigint FROM older

-- name: cut
-- Which stays of a scratch table, folded up to a position, are not those that the live table has begun by then; what ended later had not ended.
SELECT coalesce(s.project, j.project) AS of_project, coalesce(s.job_id, j.job_id) AS job_id, coalesce(s.version, j.version) AS version
FROM {scratch} s
FULL JOIN (SELECT *, left_position > %(to)s AS reopened FROM {live} WHERE position <= %(to)s) j ON j.job_id = s.job_id AND j.version = s.version
WHERE (s.project, s.position, s.state, s.kind, s.final, s.at, s.recorded_at, s.actor, s.note, s.source_id, s.left_position, s.left_at)
      IS DISTINCT FROM
      (j.project, j.position, j.state, j.kind, j.final, j.at, j.recorded_at, j.actor, j.note, j.source_id,
       CASE WHEN NOT j.reopened THEN j.left_position END, CASE WHEN NOT j.reopened THEN j.left_at END)

-- name: erase
-- Read the values again that erasures behind one position up to another took out of the bodies.
UPDATE {table} t
SET actor = b.body ->> 'actor', note = b.body ->> 'note', source_id = b.body ->> 'source_id'
FROM ledger.stored_events s
CROSS JOIN LATERAL (SELECT ledger.body(s.state) AS body OFFSET 0) b
WHERE s.originator_id = t.job_id AND s.originator_version = t.version AND t.job_id IN (
  SELECT originator_id FROM ledger.stored_events
  WHERE topic = 'job.erased' AND notification_id > %(from)s AND notification_id <= %(to)s)
