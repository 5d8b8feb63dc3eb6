-- The log: append-only events at dense positions, the identities and idempotency keys that guard them, and the one head row.

-- Roles are shared by a whole PostgreSQL server, so another ledger on it may have made them already.
DO $$
DECLARE role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['jobledger_app', 'jobledger_projector'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
    IF NOT pg_has_role(current_user, role, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO CURRENT_USER', role);
    END IF;
  END LOOP;
END $$;

CREATE TABLE ledger.head (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  position bigint NOT NULL DEFAULT 0,
  recorded_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
COMMENT ON TABLE ledger.head IS 'The append lock and the position counter in one row: whoever holds it appends.';
INSERT INTO ledger.head DEFAULT VALUES;

-- Column names are those of the eventsourcing library; the view ledger.events gives them the domain's names.
CREATE TABLE ledger.stored_events (
  notification_id bigint NOT NULL,
  originator_version bigint NOT NULL,
  recorded_at timestamptz NOT NULL,
  occurred_at timestamptz,
  originator_id uuid NOT NULL,
  event_id uuid NOT NULL DEFAULT gen_random_uuid(),
  salt uuid NOT NULL DEFAULT gen_random_uuid(),
  topic text COLLATE "C" NOT NULL,
  project text COLLATE "C" NOT NULL DEFAULT '',
  credential_id text COLLATE "C",
  state bytea NOT NULL,
  PRIMARY KEY (originator_id, originator_version)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
COMMENT ON COLUMN ledger.stored_events.notification_id IS 'The position: dense, from 1, across the ledger.';
COMMENT ON COLUMN ledger.stored_events.state IS 'The body: UTF-8 JSON, byte for byte as it was first written.';
COMMENT ON COLUMN ledger.stored_events.salt IS 'Blinds the hash of the body, so that an erased body cannot be guessed from its hash.';
CREATE UNIQUE INDEX stored_events_position ON ledger.stored_events (notification_id);
CREATE INDEX stored_events_project_position ON ledger.stored_events (project, notification_id);

CREATE TABLE ledger.identities (
  project text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  job_id uuid NOT NULL,
  PRIMARY KEY (project, kind, value)
);
COMMENT ON TABLE ledger.identities IS 'What names a job within its project: number, request_id, source_id.';

CREATE TABLE ledger.idempotency_keys (
  project text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  request_hash bytea NOT NULL,
  outcome jsonb NOT NULL,
  recorded_at timestamptz NOT NULL,
  PRIMARY KEY (project, key)
);
COMMENT ON COLUMN ledger.idempotency_keys.outcome IS 'The jobs and the versions the request left them at, from which its answer is made again.';

-- Above 2^53 - 1 not every JSON reader keeps an integer exactly.
CREATE SEQUENCE ledger.job_numbers MAXVALUE 9007199254740991;

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'The ledger is append-only: % on %.% is refused.', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege', HINT = 'Append an event that says what changed.';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.stored_events
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.identities
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.idempotency_keys
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE FUNCTION ledger.body(state bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN convert_from(state, 'UTF8')::jsonb;
COMMENT ON FUNCTION ledger.body IS 'The body of an event as jsonb, for queries and expression indexes.';

CREATE VIEW ledger.events AS
SELECT notification_id AS position, event_id, originator_id AS job_id, originator_version AS version, project, topic,
       occurred_at, recorded_at, ledger.body(state) ->> 'actor' AS actor, credential_id,
       ledger.body(state) ->> 'request_id' AS request_id, ledger.body(state) ->> 'note' AS note,
       ledger.body(state) ->> 'source_id' AS source_id, ledger.body(state) -> 'event' AS event
FROM ledger.stored_events;
COMMENT ON VIEW ledger.events IS 'The log in the domain''s words, for auditors.';

-- One commit of many writes ("units"). The batch is ONE jsonb parameter:
--   events      [[unit, job, version, topic, event_id, occurred_at, state, project, credential_id], ...] in order
--   streams     [[unit, job, expected_version], ...]     the version each job must stand at
--   identities  [[unit, project, kind, value, job], ...]
--   keys        [[unit, project, key, request_hash_hex, outcome], ...]
-- A unit is saved whole or refused whole, and a refusal spares the others. The answer is the position before the batch, the time
-- of record, and the refused units: [[unit, reason, detail], ...]; the accepted events stand behind the head in the order given.
CREATE FUNCTION ledger.append(batch jsonb, OUT head bigint, OUT moment timestamptz, OUT refused jsonb)
LANGUAGE plpgsql
-- The plan is made once and kept, perhaps while the tables are still empty: a sequential scan must never be in it.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  number_max bigint;
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
    SELECT (s ->> 0)::int AS unit, (s ->> 1)::uuid AS job_id, (s ->> 2)::bigint AS expected
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
    SELECT a.unit, 3, 'stale', to_jsonb(a.job_id)
    FROM asked_stream a
    LEFT JOIN LATERAL (
      SELECT e.originator_version FROM ledger.stored_events e
      WHERE e.originator_id = a.job_id ORDER BY e.originator_version DESC LIMIT 1
    ) last ON true
    WHERE coalesce(last.originator_version, least(a.expected, 0)) <> a.expected
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
                                      topic, project, credential_id, state)
    SELECT position, (e ->> 2)::bigint, moment, (e ->> 5)::timestamptz, (e ->> 1)::uuid, (e ->> 4)::uuid,
           e ->> 3, e ->> 7, e ->> 8, convert_to(e ->> 6, 'UTF8')
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

GRANT USAGE ON SCHEMA ledger TO jobledger_app, jobledger_projector;
GRANT SELECT, INSERT ON ledger.stored_events, ledger.identities, ledger.idempotency_keys TO jobledger_app;
GRANT SELECT, UPDATE ON ledger.head TO jobledger_app;
GRANT SELECT, UPDATE, USAGE ON ledger.job_numbers TO jobledger_app;
GRANT SELECT ON ledger.events, ledger.migrations TO jobledger_app;
GRANT SELECT ON ledger.stored_events, ledger.head, ledger.events, ledger.migrations TO jobledger_projector;
