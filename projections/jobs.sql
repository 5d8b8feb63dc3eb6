-- name: create
-- Current state: one row a job. The view projections.jobs shows the live version; indexes come later, see `index`.
CREATE TABLE {table} (
  id uuid PRIMARY KEY,
  project text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  command text COLLATE "C",
  object text COLLATE "C",
  owner text COLLATE "C" NOT NULL,
  request_id text COLLATE "C",
  source_id text COLLATE "C",
  description text,
  detail json,
  state text COLLATE "C" NOT NULL,
  kind text COLLATE "C" CHECK (kind IN ('rejected', 'exception', 'item_errors')),
  final boolean NOT NULL,
  version bigint NOT NULL,
  position bigint NOT NULL,
  attempts integer NOT NULL,
  progress float8 NOT NULL CHECK (progress BETWEEN 0 AND 1),
  error_count bigint NOT NULL,
  messages jsonb NOT NULL,
  items_total bigint,
  items_succeeded bigint NOT NULL,
  items_failed bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  started_at timestamptz,
  ended_at timestamptz,
  ended_by text,
  failures integer NOT NULL,
  history text NOT NULL DEFAULT '',
  outcome text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
    CASE WHEN state <> 'Failed' THEN state WHEN NOT final THEN 'Retrying' WHEN kind = 'rejected' THEN 'Rejected'
         WHEN kind = 'item_errors' THEN 'Incomplete' WHEN failures > 1 THEN 'Exhausted' ELSE 'Failed' END
  ) STORED,
  phase text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
    CASE WHEN state IN ('Created', 'Queued') THEN 'acknowledged' WHEN state = 'Succeeded' THEN 'completed'
         WHEN state = 'Processing' OR state = 'Failed' AND NOT final THEN 'in-progress' ELSE 'failed' END
  ) STORED
)
-- A page far into a list walks an index alone, as far as pages are known to be seen whole; by default a fifth of them may not be.
WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05)

-- name: index
-- What serves the questions of FILTERS and SORTS. The names are PostgreSQL's own: jobs_v1_project_state_created_at_number_idx and so on.
CREATE UNIQUE INDEX ON {table} (project, number);
CREATE INDEX ON {table} (project, created_at, number);
CREATE INDEX ON {table} (project, updated_at, number);
CREATE INDEX ON {table} (project, state, created_at, number);
CREATE INDEX ON {table} (project, outcome, created_at, number);
CREATE INDEX ON {table} (project, phase, created_at, number);
CREATE INDEX ON {table} (project, type, created_at, number);
CREATE INDEX ON {table} (project, command, created_at, number) WHERE command IS NOT NULL;
CREATE INDEX ON {table} (project, owner, created_at, number);
CREATE INDEX ON {table} (project, object, created_at, number) WHERE object IS NOT NULL;
CREATE INDEX ON {table} (project, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX ON {table} (project, source_id) WHERE source_id IS NOT NULL

-- name: fold
-- Fold the events behind one position up to another into the rows, and answer how many it took. What ledger.job.evolve says, in SQL.
WITH stored AS (
  -- Found by position, whatever order is asked for below.
  SELECT originator_id AS job_id, originator_version AS version, notification_id AS position, topic, project, occurred_at, recorded_at, state
  FROM ledger.stored_events WHERE notification_id > %(from)s AND notification_id <= %(to)s OFFSET 0
), event AS (
  -- What each event sets; null where it leaves things as they are. Sorted by job once, before bodies are read and rows grow wide. The same order at the
  -- end sorts nothing: without it what groups them would not know that they are sorted.
  SELECT s.job_id, s.version, s.position, b.state, failed.kind, failed.final, moment.at, b.body ->> 'actor' AS actor,
         failed.final OR b.state IN ('Succeeded', 'Canceled') AS ends,
         CASE s.topic WHEN 'job.started' THEN 0.0 WHEN 'job.succeeded' THEN 1.0
                      WHEN 'job.failed' THEN CASE WHEN failed.kind = 'item_errors' AND failed.final THEN 1.0 END
                      WHEN 'job.progressed' THEN (e.event ->> 'progress')::float8
                      WHEN 'job.items_reported' THEN CASE WHEN items.total > 0 THEN least(1.0, (items.succeeded + items.failed)::float8 / items.total) END
         END AS progress,
         CASE s.topic WHEN 'job.failed' THEN (e.event ->> 'error_count')::bigint
                      WHEN 'job.items_reported' THEN coalesce((e.event ->> 'error_count')::bigint, items.failed)
         END AS error_count,
         items.total AS items_total, items.succeeded AS items_succeeded, items.failed AS items_failed, e.event -> 'messages' AS messages,
         -- What never changes is said when a job is created.
         CASE WHEN s.version = 1 THEN s.project END AS project, CASE WHEN s.version = 1 THEN e.event END AS creation,
         CASE WHEN s.version = 1 THEN coalesce((e.event ->> 'created_at')::timestamptz, moment.at, s.recorded_at) END AS created_at,
         CASE WHEN s.version = 1 AND e.event ? 'detail' THEN convert_from(s.state, 'UTF8')::json #> '{{event,detail}}' END AS detail,
         -- What was written in a shape that this fold does not know is not counted, and the count tells.
         s.topic IN ('job.created', 'job.queued', 'job.started', 'job.progressed', 'job.noted', 'job.items_reported',
                     'job.succeeded', 'job.failed', 'job.canceled', 'job.erased')
           AND (s.topic = 'job.created') = (s.version = 1) AND NOT b.body ? 'class_version' AS known,
         -- The entry of the history that an event begins: the JSON of ledger.job.Stay, field by field, as the API's own writer would have it.
         CASE WHEN b.state IS NOT NULL THEN
           '{{"position":' || s.position || ',"version":' || s.version || ',"state":"' || b.state
           || '","at":' || CASE WHEN moment.at = s.recorded_at THEN b.recorded
                                ELSE coalesce(replace(to_char(moment.at AT TIME ZONE 'UTC', '\"YYYY-MM-DD"T"HH24:MI:SS.US"Z"\"'), '.000000Z', 'Z'), 'null') END
           || ',"recorded_at":' || b.recorded || ',"actor":' || to_json(b.body ->> 'actor')::text
           || coalesce(',"note":' || to_json(b.body ->> 'note')::text, ',"note":null')
           || coalesce(',"source_id":' || to_json(b.body ->> 'source_id')::text, ',"source_id":null')
           || CASE WHEN failed.kind IS NULL THEN ',"kind":null,"final":false}}' ELSE ',"kind":"' || failed.kind || '","final":' || failed.final || '}}' END
         END AS entry
  FROM (SELECT * FROM stored ORDER BY job_id, version OFFSET 0) s
  CROSS JOIN LATERAL (
    SELECT {s_body} AS body, replace(to_char(s.recorded_at AT TIME ZONE 'UTC', '\"YYYY-MM-DD"T"HH24:MI:SS.US"Z"\"'), '.000000Z', 'Z') AS recorded,
           CASE s.topic WHEN 'job.created' THEN 'Created' WHEN 'job.queued' THEN 'Queued' WHEN 'job.started' THEN 'Processing'
                        WHEN 'job.succeeded' THEN 'Succeeded' WHEN 'job.failed' THEN 'Failed' WHEN 'job.canceled' THEN 'Canceled'
           END AS state OFFSET 0
  ) b
  CROSS JOIN LATERAL (SELECT b.body -> 'event' AS event) e
  CROSS JOIN LATERAL (SELECT coalesce(s.occurred_at, CASE WHEN b.body -> 'imported' = 'true' THEN NULL ELSE s.recorded_at END) AS at) moment
  CROSS JOIN LATERAL (
    SELECT CASE WHEN s.topic = 'job.failed' THEN coalesce(e.event ->> 'kind', 'exception') END AS kind,
           s.topic = 'job.failed' AND coalesce((e.event ->> 'final')::boolean, true) AS final
  ) failed
  CROSS JOIN LATERAL (
    SELECT CASE WHEN s.topic = 'job.items_reported' THEN (e.event ->> 'total')::bigint END AS total,
           CASE WHEN s.topic = 'job.items_reported' THEN coalesce((e.event ->> 'succeeded')::bigint, 0) END AS succeeded,
           CASE WHEN s.topic = 'job.items_reported' THEN coalesce((e.event ->> 'failed')::bigint, 0) END AS failed
  ) items
  ORDER BY s.job_id, s.version OFFSET 0
), change AS (
  -- What the events of a job set, one after the other.
  -- A later event must not hide a value that no event may have, so that poison is the same however the log is cut.
  SELECT job_id, count(*) FILTER (WHERE known AND coalesce(progress BETWEEN 0 AND 1, true)
                                  AND coalesce(kind IN ('rejected', 'exception', 'item_errors'), true)) AS events,
         min(version) AS first_version, max(version) AS version, max(position) AS position,
         (array_agg(project) FILTER (WHERE version = 1))[1] AS project, (array_agg(creation) FILTER (WHERE version = 1))[1] AS creation,
         min(created_at) AS created_at, (array_agg(detail) FILTER (WHERE version = 1))[1] AS detail,
         array_agg(at ORDER BY version) FILTER (WHERE at IS NOT NULL) AS updated_at,
         array_agg(at ORDER BY version) FILTER (WHERE at IS NOT NULL AND state = 'Processing') AS started_at,
         count(*) FILTER (WHERE state = 'Processing') AS attempts,
         count(*) FILTER (WHERE state = 'Failed') AS failures,
         array_agg(state ORDER BY version) FILTER (WHERE state IS NOT NULL) AS state,
         array_agg(kind ORDER BY version) FILTER (WHERE state = 'Failed') AS kind,
         array_agg(final ORDER BY version) FILTER (WHERE state = 'Failed') AS final,
         array_agg(at ORDER BY version) FILTER (WHERE ends) AS ended_at,
         array_agg(actor ORDER BY version) FILTER (WHERE ends) AS ended_by,
         array_agg(progress ORDER BY version) FILTER (WHERE progress IS NOT NULL) AS progress,
         array_agg(error_count ORDER BY version) FILTER (WHERE error_count IS NOT NULL) AS error_count,
         array_agg(items_total ORDER BY version) FILTER (WHERE items_total IS NOT NULL) AS items_total,
         array_agg(items_succeeded ORDER BY version) FILTER (WHERE items_succeeded IS NOT NULL) AS items_succeeded,
         array_agg(items_failed ORDER BY version) FILTER (WHERE items_failed IS NOT NULL) AS items_failed,
         jsonb_agg(messages ORDER BY version) FILTER (WHERE messages IS NOT NULL) AS messages,
         string_agg(entry, ',' ORDER BY version) AS history
  FROM event GROUP BY job_id
), last AS (
  -- And together: the last one that sets a thing has its way. A failure that another state came after is told by the history alone.
  SELECT c.job_id, c.events, c.first_version, c.version, c.position, c.project, c.creation, c.created_at, c.detail, c.attempts, c.failures, c.history,
         c.started_at[1] AS started_at, c.updated_at[cardinality(c.updated_at)] AS updated_at, s.state,
         CASE WHEN s.state = 'Failed' THEN c.kind[cardinality(c.kind)] END AS kind, s.state = 'Failed' AND c.final[cardinality(c.final)] AS final,
         c.ended_at[cardinality(c.ended_at)] AS ended_at, c.ended_by[cardinality(c.ended_by)] AS ended_by,
         c.progress[cardinality(c.progress)] AS progress, c.error_count[cardinality(c.error_count)] AS error_count,
         c.items_total[cardinality(c.items_total)] AS items_total, c.items_succeeded[cardinality(c.items_succeeded)] AS items_succeeded,
         c.items_failed[cardinality(c.items_failed)] AS items_failed,
         coalesce(jsonb_path_query_array(c.messages, 'strict $[*][*]'), '[]') AS messages
  FROM change c CROSS JOIN LATERAL (SELECT c.state[cardinality(c.state)] AS state) s
), folded AS (
  SELECT l.*, l.final OR l.state IN ('Succeeded', 'Canceled') AS ended FROM last l
), born AS (
  INSERT INTO {table}
  SELECT f.job_id, f.project, (f.creation ->> 'number')::bigint, f.creation ->> 'type', f.creation ->> 'command', f.creation ->> 'object',
         f.creation ->> 'owner', f.creation ->> 'request_id', f.creation ->> 'source_id', f.creation ->> 'description', f.detail,
         f.state, f.kind, f.final, f.version, f.position, f.attempts, coalesce(f.progress, 0), coalesce(f.error_count, 0), f.messages,
         f.items_total, coalesce(f.items_succeeded, 0), coalesce(f.items_failed, 0), f.created_at, coalesce(f.updated_at, f.created_at), f.started_at,
         CASE WHEN f.ended THEN f.ended_at END, CASE WHEN f.ended THEN f.ended_by END, f.failures, f.history
  FROM folded f
  WHERE f.first_version = 1
), grown AS (
  UPDATE {table} j
  SET state = coalesce(f.state, j.state),
      kind = CASE WHEN f.state IS NULL THEN j.kind ELSE f.kind END,
      final = coalesce(f.final, j.final),
      version = f.version,
      position = f.position,
      attempts = j.attempts + f.attempts,
      failures = j.failures + f.failures,
      progress = coalesce(f.progress, j.progress),
      error_count = coalesce(f.error_count, j.error_count),
      messages = j.messages || f.messages,
      history = j.history || coalesce(',' || f.history, ''),
      items_total = coalesce(f.items_total, j.items_total),
      items_succeeded = coalesce(f.items_succeeded, j.items_succeeded),
      items_failed = coalesce(f.items_failed, j.items_failed),
      updated_at = coalesce(f.updated_at, j.updated_at),
      started_at = coalesce(j.started_at, f.started_at),
      ended_at = CASE WHEN f.state IS NULL THEN j.ended_at WHEN f.ended THEN f.ended_at END,
      ended_by = CASE WHEN f.state IS NULL THEN j.ended_by WHEN f.ended THEN f.ended_by END
  FROM folded f
  WHERE f.first_version > 1 AND j.id = f.job_id AND j.version = f.first_version - 1
  RETURNING j.id
)
-- Events of a job that is neither new nor at the version before them are not taken.
SELECT coalesce(sum(events), 0)::bigint FROM folded WHERE first_version = 1 OR job_id IN (SELECT id FROM grown)

-- name: cut
-- Which rows of a scratch table, folded up to a position, the live table contradicts: a job that did not change since must be the same, and
-- of one that did, what never changes.
SELECT coalesce(s.project, j.project) AS of_project, coalesce(s.id, j.id) AS id
FROM {scratch} s
FULL JOIN {live} j ON j.id = s.id
WHERE CASE WHEN s.id IS NULL THEN j.position <= %(to)s
           WHEN j.id IS NULL THEN true
           WHEN j.position <= %(to)s THEN s::text <> j::text
           ELSE (s.project, s.number, s.type, s.command, s.object, s.owner, s.request_id, s.source_id, s.description, s.detail::text, s.created_at)
                IS DISTINCT FROM
                (j.project, j.number, j.type, j.command, j.object, j.owner, j.request_id, j.source_id, j.description, j.detail::text, j.created_at)
      END

-- name: erase
-- Read the values again that erasures behind one position up to another took out of the bodies.
UPDATE {table} j
SET object = b.event ->> 'object', owner = b.event ->> 'owner', request_id = b.event ->> 'request_id',
    source_id = b.event ->> 'source_id', description = b.event ->> 'description', detail = b.detail,
    messages = coalesce((
      SELECT jsonb_agg(m.message ORDER BY s.originator_version, m.nth)
      FROM ledger.stored_events s
      CROSS JOIN LATERAL jsonb_array_elements({s_body} -> 'event' -> 'messages') WITH ORDINALITY m (message, nth)
      WHERE s.originator_id = j.id AND s.originator_version <= j.version
    ), '[]'),
    history = (
      SELECT string_agg('{{"position":' || (e.entry ->> 'position') || ',"version":' || (e.entry ->> 'version')
                        || ',"state":"' || (e.entry ->> 'state') || '","at":' || coalesce('"' || (e.entry ->> 'at') || '"', 'null')
                        || ',"recorded_at":"' || (e.entry ->> 'recorded_at') || '","actor":' || to_json(b.body ->> 'actor')::text
                        || ',"note":' || coalesce(to_json(b.body ->> 'note')::text, 'null')
                        || ',"source_id":' || coalesce(to_json(b.body ->> 'source_id')::text, 'null')
                        || ',"kind":' || coalesce('"' || (e.entry ->> 'kind') || '"', 'null') || ',"final":' || (e.entry ->> 'final') || '}}',
                        ',' ORDER BY e.nth)
      FROM json_array_elements(('[' || j.history || ']')::json) WITH ORDINALITY e (entry, nth)
      JOIN ledger.stored_events s ON s.originator_id = j.id AND s.originator_version = (e.entry ->> 'version')::bigint
      CROSS JOIN LATERAL (SELECT ledger.body(s.state) AS body OFFSET 0) b
    ),
    ended_by = CASE WHEN j.ended_by IS NOT NULL THEN (
      SELECT ledger.body(s.state) ->> 'actor' FROM ledger.stored_events s
      WHERE s.originator_id = j.id AND s.originator_version <= j.version
        AND s.topic IN ('job.succeeded', 'job.failed', 'job.canceled')
      ORDER BY s.originator_version DESC LIMIT 1
    ) END
FROM ledger.stored_events c
CROSS JOIN LATERAL (
  SELECT {c_body} -> 'event' AS event, convert_from(c.state, 'UTF8')::json -> 'event' -> 'detail' AS detail OFFSET 0
) b
WHERE c.originator_id = j.id AND c.originator_version = 1 AND j.id IN (
  SELECT originator_id FROM ledger.stored_events
  WHERE topic = 'job.erased' AND notification_id > %(from)s AND notification_id <= %(to)s)
