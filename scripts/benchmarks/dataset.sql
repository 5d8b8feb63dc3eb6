-- name: lives
-- How jobs go on after their birth, which is step 0, and whose body is made for each job.
CREATE TEMP TABLE lives (kind integer, step integer, topic text, state bytea, PRIMARY KEY (kind, step))

-- name: life
-- One step of one kind of life.
INSERT INTO lives VALUES (%s, %s, %s, %s)

-- name: chance
-- A number from 0 to 1 that looks like chance and is the same each time.
CREATE FUNCTION pg_temp.chance(n bigint, seed bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN (hashint8extended(n, seed) & 2147483647)::float8 / 2147483648.0

-- name: grow
-- The jobs of some flights, from one number up to another, with all their events behind a position; how many events.
WITH job AS MATERIALIZED (
  SELECT n, n / %(flight)s AS flight, o.place, o.kind, o.project, o.command, o.type, o.object, o.owner, o.request_id,
         -- An id that sorts by time, as version 7 does, with chance for its rest.
         (lpad(to_hex(%(began_ms)s + n / %(flight)s * %(flight)s * 450), 12, '0') || '7' || substr(o.chance, 1, 3) || '8' || substr(o.chance, 4, 15))::uuid AS id
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
  CROSS JOIN LATERAL (
    SELECT pg_temp.chance(n, %(seed)s) AS taste, width_bucket(pg_temp.chance(n, %(seed)s + 1), %(shares)s::float8[]) AS place,
           width_bucket(pg_temp.chance(n, %(seed)s + 2), %(kinds)s::float8[]) AS kind
  ) d
  CROSS JOIN LATERAL (
    SELECT d.place, d.kind, (%(projects)s::text[])[d.place] AS project, md5(n || ' ' || %(seed)s) AS chance,
           (%(commands)s::text[])[1 + n %% cardinality(%(commands)s::text[])] AS command,
           CASE WHEN n %% 97 = 0 THEN 'Rare' ELSE (%(types)s::text[])[1 + n %% cardinality(%(types)s::text[])] END AS type,
           CASE WHEN n %% 10 > 0 THEN 'web-' || floor(200000 * d.taste) END AS object,
           -- Few own much: the square leans to the first.
           'owner-' || floor(2000 * d.taste * d.taste) AS owner,
           CASE WHEN n %% 3 = 0 THEN 'request-' || n END AS request_id
  ) o
), told AS (
  SELECT j.*, l.step, l.topic, l.state, %(position)s + row_number() OVER (ORDER BY j.flight, l.step, j.n) AS position
  FROM job j JOIN lives l ON l.kind = j.kind
), named AS (
  INSERT INTO ledger.identities (project, kind, value, job_id)
  SELECT project, 'number', (n + 1)::text, id FROM job
  UNION ALL SELECT project, 'request_id', request_id, id FROM job WHERE request_id IS NOT NULL
)
INSERT INTO ledger.stored_events (notification_id, originator_version, recorded_at, originator_id, event_id, salt, topic, project, credential_id, state)
SELECT position, step + 1, %(began)s::timestamptz + position * interval '100 milliseconds', id, md5('event ' || position || ' ' || %(seed)s)::uuid,
       md5('salt ' || position || ' ' || %(seed)s)::uuid, topic, project, '0000000000000000',
       CASE WHEN step > 0 THEN state ELSE convert_to(
         '{"actor":"platform","event":{"type":"' || type || '","owner":"' || owner || '","number":' || n + 1
         || coalesce(',"command":"' || command || '"', '') || coalesce(',"object":"' || object || '"', '')
         || coalesce(',"request_id":"' || request_id || '"', '')
         || ',"description":"Add a server to the farm","detail":{"image":"centos-7","ram_mb":2048,"ip":"10.0.0.7"}}}', 'UTF8') END
FROM told ORDER BY position

-- name: finish
-- Where the log ends now, and where the next job number begins.
WITH last AS (
  UPDATE ledger.head SET (position, recorded_at) = (
    SELECT coalesce(max(notification_id), 0), coalesce(max(recorded_at), '-infinity') FROM ledger.stored_events
  ) RETURNING position
)
SELECT last.position, setval('ledger.job_numbers', greatest(1, %(jobs)s), %(jobs)s > 0) FROM last

-- name: vacuum
-- What autovacuum does within a minute or so: a benchmark does not wait for it.
VACUUM (ANALYZE)
