-- The wall of the writers: nothing is added to a job of another project, whatever the code that decides believes.

-- New against 0006 are the project of a stream, the reason "stranger", and the definer's rights that 0007 gave.
-- One commit of many writes ("units"). The batch is ONE jsonb parameter:
--   events      [[unit, job, version, topic, event_id, occurred_at, state, project, credential_id], ...] in order
--   streams     [[unit, job, expected_version, project], ...]     the version each job must stand at, and whose it must be
--   identities  [[unit, project, kind, value, job], ...]
--   keys        [[unit, project, key, request_hash_hex, outcome], ...]
-- A unit is saved whole or refused whole, and a refusal spares the others. The answer is the position before the batch, the time
-- of record, and the refused units: [[unit, reason, detail], ...]; the accepted events stand behind the head in the order given.
CREATE OR REPLACE FUNCTION ledger.append(batch jsonb, OUT head bigint, OUT moment timestamptz, OUT refused jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- The plan is made once and kept, perhaps while the tables are still empty: a sequential scan must never be in it.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  number_max bigint;
  secret bytea := uuid_send(gen_random_uuid());
BEGIN
  SELECT h.position, greatest(h.recorded_at, clock_timestamp()) INTO STRICT head, moment FROM ledger.head h FOR UPDATE;
  -- A number that a client gave must not be given again by the sequence. It moves on before the rows are written, so that whoever
  -- draws meanwhile draws past them; a number beyond 2^52 does not move it, or one client could use up everybody's numbers.
  SELECT max(number) INTO number_max FROM (
    SELECT CASE i ->> 2 WHEN 'number' THEN (i ->> 3)::bigint END AS number FROM jsonb_array_elements(batch -> 'identities') i
  ) given WHERE number <= 4503599627370496;
  IF number_max >= (SELECT last_value FROM ledger.job_numbers) THEN
    PERFORM setval('ledger.job_numbers', number_max);
  END IF;
  WITH asked_stream AS MATERIALIZED (
    SELECT (s ->> 0)::int AS unit, (s ->> 1)::uuid AS job_id, (s ->> 2)::bigint AS expected, s ->> 3 AS project
    FROM jsonb_array_elements(batch -> 'streams') s
  ), asked_identity AS MATERIALIZED (
    SELECT (i ->> 0)::int AS unit, i ->> 1 AS project, i ->> 2 AS kind, i ->> 3 AS value, (i ->> 4)::uuid AS job_id
    FROM jsonb_array_elements(batch -> 'identities') i
  ), asked_key AS MATERIALIZED (
    SELECT (k ->> 0)::int AS unit, k ->> 1 AS project, k ->> 2 AS key, decode(k ->> 3, 'hex') AS request_hash, k -> 4 AS outcome
    FROM jsonb_array_elements(batch -> 'keys') k
  ), reason AS (
    SELECT a.unit, 1 AS rank, 'key' AS reason,
           jsonb_build_object('request_hash', encode(known.request_hash, 'hex'), 'outcome', known.outcome) AS detail
    FROM asked_key a JOIN ledger.idempotency_keys known ON known.project = a.project AND known.key = a.key
    UNION ALL
    SELECT unit, 2, 'again', NULL::jsonb
    FROM (SELECT unit, row_number() OVER (PARTITION BY project, key ORDER BY unit) AS nth FROM asked_key) k WHERE nth > 1
    UNION ALL
    SELECT a.unit, 3, CASE WHEN last.project IS DISTINCT FROM a.project AND last.project IS NOT NULL THEN 'stranger' ELSE 'stale' END,
           to_jsonb(a.job_id)
    FROM asked_stream a
    LEFT JOIN LATERAL (
      SELECT e.originator_version, e.project FROM ledger.stored_events e
      WHERE e.originator_id = a.job_id ORDER BY e.originator_version DESC LIMIT 1
    ) last ON true
    WHERE coalesce(last.originator_version, least(a.expected, 0)) <> a.expected
          OR last.project IS NOT NULL AND last.project IS DISTINCT FROM a.project
    UNION ALL
    SELECT a.unit, 4, 'taken', jsonb_build_array(a.kind, a.value, known.job_id)
    FROM asked_identity a
    JOIN ledger.identities known ON known.project = a.project AND known.kind = a.kind AND known.value = a.value
    UNION ALL
    SELECT unit, 5, 'again', NULL
    FROM (SELECT unit, row_number() OVER (PARTITION BY project, kind, value ORDER BY unit) AS nth FROM asked_identity) i WHERE nth > 1
    UNION ALL
    SELECT unit, 6, 'again', NULL
    FROM (SELECT unit, row_number() OVER (PARTITION BY job_id ORDER BY unit) AS nth FROM asked_stream) s WHERE nth > 1
  ), turned_away AS MATERIALIZED (
    SELECT DISTINCT ON (unit) unit, reason, detail FROM reason ORDER BY unit, rank
  ), accepted AS MATERIALIZED (
    SELECT e, head + row_number() OVER (ORDER BY ord) AS position
    FROM jsonb_array_elements(batch -> 'events') WITH ORDINALITY t(e, ord)
    WHERE (e ->> 0)::int NOT IN (SELECT unit FROM turned_away)
  ), new_events AS (
    INSERT INTO ledger.stored_events (notification_id, originator_version, recorded_at, occurred_at, originator_id, event_id,
                                      salt, topic, project, credential_id, state)
    SELECT position, (e ->> 2)::bigint, moment, (e ->> 5)::timestamptz, (e ->> 1)::uuid, (e ->> 4)::uuid,
           encode(substr(sha256(secret || int8send(position)), 1, 16), 'hex')::uuid, e ->> 3, e ->> 7, e ->> 8, convert_to(e ->> 6, 'UTF8')
    FROM accepted ORDER BY position
  ), new_identities AS (
    INSERT INTO ledger.identities (project, kind, value, job_id)
    SELECT project, kind, value, job_id FROM asked_identity WHERE unit NOT IN (SELECT unit FROM turned_away)
  ), new_keys AS (
    INSERT INTO ledger.idempotency_keys (project, key, request_hash, outcome, recorded_at)
    SELECT project, key, request_hash, outcome, moment FROM asked_key WHERE unit NOT IN (SELECT unit FROM turned_away)
  ), new_head AS (
    UPDATE ledger.head h SET position = h.position + (SELECT count(*) FROM accepted), recorded_at = moment
  )
  SELECT jsonb_agg(jsonb_build_array(unit, reason, detail) ORDER BY unit) INTO refused FROM turned_away;
END $$;
