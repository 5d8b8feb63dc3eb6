-- A commit without clashes asks for less: one job is looked up by itself, positions are counted as the rows come, and its identities are read once.

-- Most of what a small commit costs the database is to start its statements, whatever they do.
-- What is asked, answered and promised is what it was (0015_append.sql). Of identities only their values are compared with each other: two alike, even
-- of two kinds or projects, send the commit to the statement of thirty parts, which knows better.
CREATE OR REPLACE FUNCTION ledger.append(batch jsonb, OUT head bigint, OUT moment timestamptz, OUT refused jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Plans are made once and kept, perhaps while the tables are still empty: a sequential scan must never be in one.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  events jsonb := batch -> 'events';  -- of them, those that are not turned away
  streams CONSTANT jsonb := batch -> 'streams';
  identities CONSTANT jsonb := batch -> 'identities';
  keys CONSTANT jsonb := batch -> 'keys';
  asked CONSTANT bigint := coalesce(jsonb_array_length(events), 0);
  secret CONSTANT bytea := uuid_send(gen_random_uuid());
  number_max bigint;
  clash boolean;
  away int[];
  named_again boolean;
  only_one jsonb;
  last_version bigint;
  last_project text;
BEGIN
  -- The head first: whoever moves it on appends, and everybody else waits.
  UPDATE ledger.head h SET position = h.position + asked, recorded_at = greatest(h.recorded_at, clock_timestamp())
  RETURNING h.position - asked, h.recorded_at INTO STRICT head, moment;

  IF jsonb_array_length(streams) = 1 THEN
    only_one := streams -> 0;
    SELECT e.originator_version, e.project INTO last_version, last_project FROM ledger.stored_events e
    WHERE e.originator_id = (only_one ->> 1)::uuid ORDER BY e.originator_version DESC LIMIT 1;
    clash := coalesce(last_version, least((only_one ->> 2)::bigint, 0)) <> (only_one ->> 2)::bigint
             OR last_project IS NOT NULL AND last_project IS DISTINCT FROM only_one ->> 3;
  ELSE
    SELECT count(*) <> count(DISTINCT (s ->> 1)::uuid)
           OR coalesce(bool_or(coalesce(last.originator_version, least((s ->> 2)::bigint, 0)) <> (s ->> 2)::bigint
                               OR last.project IS NOT NULL AND last.project IS DISTINCT FROM s ->> 3), false)
    INTO clash
    FROM jsonb_array_elements(streams) s
    LEFT JOIN LATERAL (
      SELECT e.originator_version, e.project FROM ledger.stored_events e
      WHERE e.originator_id = (s ->> 1)::uuid ORDER BY e.originator_version DESC LIMIT 1
    ) last ON true;
  END IF;
  IF identities <> '[]' THEN
    -- A number that a client gave must not be given again by the sequence. It moves on before the rows are written, so that whoever
    -- draws meanwhile draws past them; a number beyond 2^52 does not move it, or one client could use up everybody's numbers.
    SELECT max(given.number) FILTER (WHERE given.number <= 4503599627370496),
           count(*) <> count(DISTINCT (i ->> 3) COLLATE "C") OR count(known.job_id) > 0
    INTO number_max, named_again
    FROM jsonb_array_elements(identities) i
    CROSS JOIN LATERAL (SELECT CASE i ->> 2 WHEN 'number' THEN (i ->> 3)::bigint END AS number) given
    LEFT JOIN ledger.identities known ON known.project = i ->> 1 AND known.kind = i ->> 2 AND known.value = i ->> 3;
    IF number_max >= (SELECT last_value FROM ledger.job_numbers) THEN
      PERFORM setval('ledger.job_numbers', number_max);
    END IF;
    clash := clash OR named_again;
  END IF;
  IF keys <> '[]' THEN
    clash := clash OR (
      SELECT count(*) <> count(DISTINCT (k ->> 1, k ->> 2)) OR count(known.key) > 0
      FROM jsonb_array_elements(keys) k
      LEFT JOIN ledger.idempotency_keys known ON known.project = k ->> 1 AND known.key = k ->> 2);
  END IF;

  IF clash THEN
    WITH asked_stream AS MATERIALIZED (
      SELECT (s ->> 0)::int AS unit, (s ->> 1)::uuid AS job_id, (s ->> 2)::bigint AS expected, s ->> 3 AS project
      FROM jsonb_array_elements(streams) s
    ), asked_identity AS MATERIALIZED (
      SELECT (i ->> 0)::int AS unit, i ->> 1 AS project, i ->> 2 AS kind, i ->> 3 AS value
      FROM jsonb_array_elements(identities) i
    ), asked_key AS MATERIALIZED (
      SELECT (k ->> 0)::int AS unit, k ->> 1 AS project, k ->> 2 AS key FROM jsonb_array_elements(keys) k
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
    ), turned_away AS (
      SELECT DISTINCT ON (unit) unit, reason, detail FROM reason ORDER BY unit, rank
    )
    SELECT array_agg(unit), jsonb_agg(jsonb_build_array(unit, reason, detail) ORDER BY unit) INTO away, refused FROM turned_away;
  END IF;

  IF away IS NOT NULL THEN
    -- Fewer than were asked for: the head goes no further than the events do.
    SELECT coalesce(jsonb_agg(e ORDER BY ord), '[]') INTO events
    FROM jsonb_array_elements(events) WITH ORDINALITY t(e, ord) WHERE (e ->> 0)::int <> ALL (away);
    UPDATE ledger.head h SET position = head + jsonb_array_length(events);
  END IF;
  INSERT INTO ledger.stored_events (notification_id, originator_version, recorded_at, occurred_at, originator_id, event_id,
                                    salt, topic, project, credential_id, state)
  SELECT head + ord, (e ->> 2)::bigint, moment, (e ->> 5)::timestamptz, (e ->> 1)::uuid, (e ->> 4)::uuid,
         encode(substr(sha256(secret || int8send(head + ord)), 1, 16), 'hex')::uuid, e ->> 3, e ->> 7, e ->> 8, convert_to(e ->> 6, 'UTF8')
  FROM jsonb_array_elements(events) WITH ORDINALITY t(e, ord);
  IF identities <> '[]' THEN
    INSERT INTO ledger.identities (project, kind, value, job_id)
    SELECT i ->> 1, i ->> 2, i ->> 3, (i ->> 4)::uuid FROM jsonb_array_elements(identities) i
    WHERE away IS NULL OR (i ->> 0)::int <> ALL (away);
  END IF;
  IF keys <> '[]' THEN
    INSERT INTO ledger.idempotency_keys (project, key, request_hash, outcome, recorded_at)
    SELECT k ->> 1, k ->> 2, decode(k ->> 3, 'hex'), k -> 4, moment FROM jsonb_array_elements(keys) k
    WHERE away IS NULL OR (k ->> 0)::int <> ALL (away);
  END IF;
END $$;
