-- Erasure: one function that takes a person's values out of stored bodies, and the holds that forbid it.

-- What an erased body has lost is told by a job.erased event with its hash; the salt, without which the old body cannot be guessed, is gone.
-- Nobody reads it but who counts with its absence; and the indexes hold no row yet, since nothing has this topic before.
-- squawk-ignore ban-drop-not-null
ALTER TABLE ledger.stored_events ALTER COLUMN salt DROP NOT NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX stored_events_erased ON ledger.stored_events (notification_id) WHERE topic = 'job.erased';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX stored_events_erased_job ON ledger.stored_events (originator_id) WHERE topic = 'job.erased';

CREATE TABLE ledger.holds (
  hold_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  project text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('project', 'type', 'job', 'subject')),
  value text COLLATE "C" NOT NULL,
  reason text NOT NULL,
  placed_by text NOT NULL,
  placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  released_by text,
  released_at timestamptz,
  release_reason text
);
COMMENT ON TABLE ledger.holds IS 'Legal holds: while one is not released, nothing of the jobs it covers is erased, whoever asks.';
CREATE UNIQUE INDEX ON ledger.holds (project, kind, value) WHERE released_at IS NULL;

CREATE TABLE ledger.retention (
  project text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  days integer NOT NULL CHECK (days > 0),
  reason text NOT NULL,
  set_by text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (project, type, state)
);
COMMENT ON TABLE ledger.retention IS 'After how many days an ended job keeps nothing of any person. The empty type stands for every type without a row of its own.';

-- The operator's own: no reader of a project is told of them.
ALTER TABLE ledger.holds ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE ledger.retention ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY erasing ON ledger.holds TO jobledger_eraser, jobledger_auditor, jobledger_log USING (true) WITH CHECK (true);
CREATE POLICY erasing ON ledger.retention TO jobledger_eraser, jobledger_auditor, jobledger_log USING (true) WITH CHECK (true);
GRANT USAGE ON SCHEMA ledger TO jobledger_eraser;
GRANT SELECT, INSERT, UPDATE (released_by, released_at, release_reason) ON ledger.holds TO jobledger_eraser;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.retention TO jobledger_eraser;
GRANT SELECT ON ledger.holds, ledger.retention TO jobledger_auditor, jobledger_log;

-- Whether one body is another with nothing changed but values that may be erased; `path` is where in the body the two stand.
CREATE FUNCTION ledger.erased_only(was jsonb, left_over jsonb, path text[] DEFAULT '{}') RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  mark CONSTANT jsonb := '"[erased]"';
BEGIN
  IF was = left_over THEN
    RETURN true;
  ELSIF path[1] = 'event' AND path[2] = 'detail' THEN
    IF left_over = (CASE array_length(path, 1) WHEN 2 THEN '{"[erased]": "[erased]"}'::jsonb ELSE mark END) THEN
      RETURN true;
    END IF;
  ELSIF left_over = mark THEN
    RETURN jsonb_typeof(was) = 'string' AND (
      path IN ('{actor}', '{request_id}', '{note}', '{source_id}', '{event,owner}', '{event,object}', '{event,description}',
               '{event,request_id}', '{event,source_id}')
      OR (path[1:2] = '{event,messages}' AND array_length(path, 1) = 4 AND path[4] IN ('message', 'description')));
  END IF;
  IF jsonb_typeof(was) IS DISTINCT FROM jsonb_typeof(left_over) THEN
    RETURN false;
  ELSIF jsonb_typeof(was) = 'object' THEN
    RETURN coalesce((SELECT bool_and(w.key IS NOT NULL AND l.key IS NOT NULL AND ledger.erased_only(w.value, l.value, path || coalesce(w.key, l.key)))
                     FROM jsonb_each(was) w FULL JOIN jsonb_each(left_over) l USING (key)), true);
  ELSIF jsonb_typeof(was) = 'array' THEN
    RETURN jsonb_array_length(was) = jsonb_array_length(left_over)
      AND coalesce((SELECT bool_and(ledger.erased_only(was -> nth, left_over -> nth, path || nth::text))
                    FROM generate_series(0, jsonb_array_length(was) - 1) nth), true);
  END IF;
  RETURN false;
END $$;

-- Rewrite bodies without a person's values, and append the events that say so. `bodies`: [[position, text], ...]; `batch`: as for
-- ledger.append, with job.erased events, which name the version and the SHA-256 of each rewritten body. All or nothing, and only values that may
-- be erased: whoever calls this can forge nothing. The answer is the position before the batch.
CREATE FUNCTION ledger.erase(bodies jsonb, batch jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  head bigint;
  refused jsonb;
  fault text;
BEGIN
  -- First of all, since it takes the one lock: nothing is appended to these jobs meanwhile.
  SELECT a.head, a.refused INTO head, refused FROM ledger.append(batch) a;
  IF refused IS NOT NULL THEN
    RAISE EXCEPTION 'Somebody else changed these jobs.' USING ERRCODE = 'serialization_failure';
  END IF;
  CREATE TEMPORARY TABLE erasing ON COMMIT DROP AS
    SELECT e.originator_id AS job_id, e.originator_version AS version, e.notification_id AS position, e.project, e.topic, e.state AS was,
           convert_to(b ->> 1, 'UTF8') AS left_over
    FROM jsonb_array_elements(bodies) b JOIN ledger.stored_events e ON e.notification_id = (b ->> 0)::bigint;
  -- Told by its id: what it holds must not stand in the server's log.
  SELECT h.hold_id::text INTO fault
  FROM erasing e
  JOIN ledger.stored_events c ON c.originator_id = e.job_id AND c.originator_version = 1
  JOIN ledger.holds h ON h.project = e.project AND h.released_at IS NULL
    AND CASE h.kind WHEN 'project' THEN true
                    WHEN 'type' THEN ledger.body(c.state) -> 'event' ->> 'type' = h.value
                    WHEN 'job' THEN e.job_id::text = h.value
                    ELSE position(convert_to(substr(to_json(h.value)::text, 2, length(to_json(h.value)::text) - 2), 'UTF8') IN e.was) > 0 END
  LIMIT 1;
  IF fault IS NOT NULL THEN
    RAISE EXCEPTION 'The legal hold % forbids it.', fault USING ERRCODE = 'object_in_use';
  END IF;
  SELECT string_agg(position::text, ', ') INTO fault FROM erasing e
  WHERE NOT ledger.erased_only(ledger.body(e.was), ledger.body(e.left_over))
     OR NOT EXISTS (
       SELECT FROM jsonb_array_elements(batch -> 'events') a
       CROSS JOIN LATERAL jsonb_array_elements((a ->> 6)::jsonb -> 'event' -> 'bodies') said
       WHERE a ->> 3 = 'job.erased' AND (a ->> 1)::uuid = e.job_id AND (said ->> 'version')::bigint = e.version
         AND said ->> 'sha256' = encode(sha256(e.left_over), 'hex'));
  IF fault IS NOT NULL OR EXISTS (SELECT FROM jsonb_array_elements(batch -> 'events') a WHERE a ->> 3 <> 'job.erased') THEN
    RAISE EXCEPTION 'This is no erasure of the events at %.', coalesce(fault, 'other topics') USING ERRCODE = 'insufficient_privilege';
  END IF;
  UPDATE ledger.stored_events s SET state = e.left_over, salt = NULL FROM erasing e WHERE s.notification_id = e.position;
  -- A name that was a person's must not lead to the job any more.
  DELETE FROM ledger.identities i USING erasing e
  WHERE e.topic = 'job.created' AND i.job_id = e.job_id AND i.project = e.project AND i.kind IN ('request_id', 'source_id')
    AND ledger.body(e.left_over) -> 'event' ->> i.kind IS DISTINCT FROM i.value;
  DROP TABLE erasing;
  RETURN head;
END $$;
COMMENT ON FUNCTION ledger.erase IS 'The one way to change a stored body. It must stay SECURITY DEFINER and owned by jobledger_log, also when it is replaced.';

-- What lies beside the log and holds a person's value: batches that were applied, idempotency keys, refused commands, ended keys and what was
-- done to keys, and ended holds. Answers how many rows.
CREATE FUNCTION ledger.erase_beside(of_project text, gone text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found uuid[];
  rows bigint;
  total bigint := 0;
BEGIN
  IF length(gone) = 0 THEN
    RAISE EXCEPTION 'An empty value is everybody''s.' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT array_agg(b.job_id) INTO found FROM ledger.batches b
  WHERE b.project = of_project AND (
    strpos(concat_ws(chr(10), b.shared, b.actor, b.request_id), gone) > 0
    OR EXISTS (SELECT FROM ledger.batch_items i WHERE i.job_id = b.job_id AND strpos(i.item, gone) > 0)
    OR EXISTS (SELECT FROM ledger.batch_results r WHERE r.job_id = b.job_id AND strpos(r.message, gone) > 0));
  IF EXISTS (SELECT FROM ledger.batches b WHERE b.job_id = ANY (found) AND b.finished_at IS NULL) THEN
    RAISE EXCEPTION 'A batch that holds it is still being applied.' USING ERRCODE = 'object_in_use';
  END IF;
  DELETE FROM ledger.batch_results r WHERE r.job_id = ANY (found);
  DELETE FROM ledger.batch_items i WHERE i.job_id = ANY (found);
  DELETE FROM ledger.batches b WHERE b.job_id = ANY (found);
  GET DIAGNOSTICS rows = ROW_COUNT;
  total := total + rows;
  DELETE FROM ledger.idempotency_keys k WHERE k.project = of_project AND strpos(k.key, gone) > 0;
  GET DIAGNOSTICS rows = ROW_COUNT;
  total := total + rows;
  UPDATE ledger.refusals r
  SET actor = CASE WHEN strpos(r.actor, gone) > 0 THEN '[erased]' ELSE r.actor END,
      request_id = CASE WHEN strpos(r.request_id, gone) > 0 THEN '[erased]' ELSE r.request_id END,
      job = CASE WHEN strpos(r.job, gone) > 0 THEN '[erased]' ELSE r.job END,
      reason = CASE WHEN strpos(r.reason, gone) > 0 THEN '[erased]' ELSE r.reason END
  WHERE r.project = of_project AND strpos(concat_ws(chr(10), r.actor, r.request_id, r.job, r.reason), gone) > 0;
  GET DIAGNOSTICS rows = ROW_COUNT;
  total := total + rows;
  UPDATE access.keys k SET name = '[erased]'
  WHERE k.project = of_project AND strpos(k.name, gone) > 0 AND (k.revoked_at IS NOT NULL OR k.expires_at <= clock_timestamp());
  GET DIAGNOSTICS rows = ROW_COUNT;
  total := total + rows;
  UPDATE access.acts a
  SET actor = CASE WHEN strpos(a.actor, gone) > 0 THEN '[erased]' ELSE a.actor END,
      reason = CASE WHEN strpos(a.reason, gone) > 0 THEN '[erased]' ELSE a.reason END
  WHERE a.project = of_project AND strpos(concat_ws(chr(10), a.actor, a.reason), gone) > 0;
  GET DIAGNOSTICS rows = ROW_COUNT;
  total := total + rows;
  UPDATE ledger.holds h SET value = '[erased]' WHERE h.released_at IS NOT NULL AND h.project = of_project AND strpos(h.value, gone) > 0;
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN total + rows;
END $$;

GRANT UPDATE (state, salt) ON ledger.stored_events TO jobledger_log;
GRANT DELETE ON ledger.identities, ledger.idempotency_keys TO jobledger_log;
GRANT UPDATE (value) ON ledger.holds TO jobledger_log;
GRANT UPDATE (actor, request_id, job, reason) ON ledger.refusals TO jobledger_log;
GRANT USAGE ON SCHEMA access TO jobledger_log;
GRANT SELECT (project, name, revoked_at, expires_at), UPDATE (name) ON access.keys TO jobledger_log;
GRANT SELECT (project, actor, reason), UPDATE (actor, reason) ON access.acts TO jobledger_log;
CREATE POLICY erasing ON access.keys TO jobledger_log USING (true) WITH CHECK (true);
CREATE POLICY erasing ON access.acts TO jobledger_log USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON ledger.batches, ledger.batch_items, ledger.batch_results TO jobledger_log;
GRANT EXECUTE ON FUNCTION ledger.append(jsonb), ledger.body(bytea) TO jobledger_log;
REVOKE EXECUTE ON FUNCTION ledger.erase(jsonb, jsonb), ledger.erase_beside(text, text), ledger.erased_only(jsonb, jsonb, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.erase(jsonb, jsonb), ledger.erase_beside(text, text) TO jobledger_eraser;
GRANT EXECUTE ON FUNCTION ledger.erased_only(jsonb, jsonb, text[]) TO jobledger_log;
GRANT CREATE ON SCHEMA ledger TO jobledger_log;
ALTER FUNCTION ledger.erase(jsonb, jsonb) OWNER TO jobledger_log;
ALTER FUNCTION ledger.erase_beside(text, text) OWNER TO jobledger_log;
REVOKE CREATE ON SCHEMA ledger FROM jobledger_log;

-- The triggers let that function through, and nobody else; what it may change is a matter of grants.
DROP TRIGGER append_only ON ledger.stored_events;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.stored_events
  FOR EACH STATEMENT WHEN (current_user <> 'jobledger_log') EXECUTE FUNCTION ledger.refuse_change();
DROP TRIGGER append_only ON ledger.identities;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.identities
  FOR EACH STATEMENT WHEN (current_user <> 'jobledger_log') EXECUTE FUNCTION ledger.refuse_change();
DROP TRIGGER append_only ON ledger.idempotency_keys;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.idempotency_keys
  FOR EACH STATEMENT WHEN (current_user <> 'jobledger_log') EXECUTE FUNCTION ledger.refuse_change();
DROP TRIGGER append_only ON ledger.refusals;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.refusals
  FOR EACH STATEMENT WHEN (current_user <> 'jobledger_log') EXECUTE FUNCTION ledger.refuse_change();
DROP TRIGGER append_only ON access.acts;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access.acts
  FOR EACH STATEMENT WHEN (current_user <> 'jobledger_log') EXECUTE FUNCTION ledger.refuse_change();
