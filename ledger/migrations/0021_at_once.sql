-- A commit is taken apart once and written at once: what clashes in it, its own statements and the indexes tell, and it brings its events' salts.

-- To look beforehand for what the indexes refuse anyway took a fifth of a commit's time in the database, and to make salts here an eighth of a small
-- one's. Whoever may call this function reads the log with its salts anyway.
-- One commit of many writes ("units"). The batch is ONE jsonb parameter, in which nothing but the events need be there:
--   events      [[unit, job, version, topic, event_id, occurred_at, state, project, credential_id, salt, follows], ...] in order.
--               The job must stand one version before, in this project, but for one that `follows` others of its job in its unit.
--               A salt is 16 random bytes in hex, one that is missing is drawn here
--   identities  [[unit, project, kind, value, job], ...]
--   keys        [[unit, project, key, request_hash_hex, outcome], ...]
--   streams     [[unit, job, expected_version, project], ...]     the version each job must stand at, and whose it must be, instead of what its
--               events say: of a batch that is known to clash, or from a process of an earlier version. It is looked over before it is tried
-- A unit is saved whole or refused whole, and a refusal spares the others. The answer is the position before the batch, the time
-- of record, and the refused units: [[unit, reason, detail], ...]; the accepted events stand behind the head in the order given.
CREATE OR REPLACE FUNCTION ledger.append(batch jsonb, OUT head bigint, OUT moment timestamptz, OUT refused jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Plans are made once and kept, perhaps while the tables are still empty: a sequential scan must never be in one.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  events jsonb := batch -> 'events';
  streams jsonb := batch -> 'streams';
  identities jsonb := batch -> 'identities';
  keys jsonb := batch -> 'keys';
  asked bigint := coalesce(jsonb_array_length(events), 0);
  saved bigint;
  away int[];
BEGIN
  -- The head first: whoever moves it on appends, and everybody else waits.
  UPDATE ledger.head h SET position = h.position + asked, recorded_at = greatest(h.recorded_at, clock_timestamp())
  RETURNING h.position - asked, h.recorded_at INTO STRICT head, moment;
  IF identities IS NOT NULL THEN
    -- A number that a client gave must not be given again by the sequence. It moves on before the rows are written, so that whoever
    -- draws meanwhile draws past them; a number beyond 2^52 does not move it, or one client could use up everybody's numbers.
    PERFORM setval('ledger.job_numbers', max(number))
    FROM (SELECT (i ->> 3)::bigint AS number FROM jsonb_array_elements(identities) i WHERE i ->> 2 = 'number') given
    WHERE number <= 4503599627370496 HAVING max(number) >= (SELECT last_value FROM ledger.job_numbers);
  END IF;

  LOOP
    IF streams IS NOT NULL THEN
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
      IF away IS NOT NULL THEN
        -- What is left of it. Fewer events than were asked for: the head goes no further than they do.
        events := jsonb_path_query_array(events, 'strict $[*] ? (!(@[0] == $away[*]))', jsonb_build_object('away', away));
        identities := jsonb_path_query_array(identities, 'strict $[*] ? (!(@[0] == $away[*]))', jsonb_build_object('away', away));
        keys := jsonb_path_query_array(keys, 'strict $[*] ? (!(@[0] == $away[*]))', jsonb_build_object('away', away));
        asked := coalesce(jsonb_array_length(events), 0);
        UPDATE ledger.head h SET position = head + asked;
      END IF;
    END IF;
    BEGIN
      -- All of it, or nothing. The events last: what clashes by its names leaves none of them behind for the vacuum.
      IF keys IS NOT NULL THEN
        INSERT INTO ledger.idempotency_keys (project, key, request_hash, outcome, recorded_at)
        SELECT k ->> 1, k ->> 2, decode(k ->> 3, 'hex'), k -> 4, moment FROM jsonb_array_elements(keys) k;
      END IF;
      IF identities IS NOT NULL THEN
        INSERT INTO ledger.identities (project, kind, value, job_id)
        SELECT i ->> 1, i ->> 2, i ->> 3, (i ->> 4)::uuid FROM jsonb_array_elements(identities) i;
      END IF;
      INSERT INTO ledger.stored_events (notification_id, originator_version, recorded_at, occurred_at, originator_id, event_id,
                                        salt, topic, project, credential_id, state)
      SELECT head + ord, version, moment, (e ->> 5)::timestamptz, job_id, (e ->> 4)::uuid,
             coalesce((e ->> 9)::uuid, gen_random_uuid()), e ->> 3, e ->> 7, e ->> 8, convert_to(e ->> 6, 'UTF8')
      FROM (
        SELECT e, ord, (e ->> 1)::uuid AS job_id, (e ->> 2)::bigint AS version
        FROM jsonb_array_elements(events) WITH ORDINALITY t(e, ord) OFFSET 0
      ) one
      LEFT JOIN LATERAL (
        SELECT s.originator_version, s.project FROM ledger.stored_events s
        WHERE s.originator_id = one.job_id ORDER BY s.originator_version DESC LIMIT 1
      ) last ON true
      WHERE streams IS NOT NULL OR e ->> 10 IS NOT NULL
            OR coalesce(last.originator_version, least(version - 1, 0)) = version - 1
               AND (last.project IS NULL OR last.project = e ->> 7);
      GET DIAGNOSTICS saved = ROW_COUNT;
      EXIT WHEN saved = asked;
      RAISE unique_violation;
    EXCEPTION WHEN unique_violation THEN
      IF streams IS NOT NULL THEN
        RAISE;
      END IF;
      -- Nothing of it is written. Which of its units clash, and why, is asked before it is tried again.
      SELECT coalesce(jsonb_agg(jsonb_build_array(e -> 0, e -> 1, (e ->> 2)::bigint - 1, e -> 7)), '[]') INTO streams
      FROM jsonb_array_elements(events) e WHERE e ->> 10 IS NULL;
    END;
  END LOOP;
END $$;
