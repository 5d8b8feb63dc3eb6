-- The salts of an import come with it: random bytes that its process draws in one call, where to make them here took a seventh of a batch's time.

-- Whoever may call this function reads the log with its salts anyway. Only an import calls it: one that runs meanwhile breaks off, and is run again.
-- squawk-ignore ban-drop-function
DROP FUNCTION ledger.append_all(uuid[], bigint[], text[], uuid[], timestamptz[], bytea[], text[], text[], uuid[], bigint[], text[], uuid[], text[], text[], text[]);
-- `jobs` to `salts` have an element for each event, in order: what the column of ledger.stored_events gets. `continued` are the jobs that have
-- events already, each with its last version and its project; of all others it is an index that sees to it that they are new. `named` to `names`
-- are the new jobs' identities. The answer is the position before the batch; null when any of it clashes with what is there, or within itself:
-- then nothing was written, and ledger.append tells what and spares the rest.
CREATE FUNCTION ledger.append_all(
  jobs uuid[], versions bigint[], topics text[], event_ids uuid[], times timestamptz[], states bytea[], credentials text[], projects text[],
  salts uuid[],
  continued uuid[], continued_at bigint[], continued_in text[],
  named uuid[], named_in text[], kinds text[], names text[],
  OUT head bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Plans are made once and kept, perhaps while the tables are still empty: a sequential scan must never be in one.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  asked CONSTANT bigint := cardinality(jobs);
  moment timestamptz;
  number_max bigint;
BEGIN
  -- The head first: whoever moves it on appends, and everybody else waits.
  UPDATE ledger.head h SET position = h.position + asked, recorded_at = greatest(h.recorded_at, clock_timestamp())
  RETURNING h.position - asked, h.recorded_at INTO STRICT head, moment;
  IF EXISTS (
    SELECT FROM (SELECT unnest(continued) AS job_id, unnest(continued_at) AS version, unnest(continued_in) AS project) c
    LEFT JOIN LATERAL (
      SELECT e.originator_version, e.project FROM ledger.stored_events e
      WHERE e.originator_id = c.job_id ORDER BY e.originator_version DESC LIMIT 1
    ) last ON true
    WHERE last.originator_version IS DISTINCT FROM c.version OR last.project IS DISTINCT FROM c.project
  ) THEN
    RAISE unique_violation;
  END IF;
  -- As in ledger.append: a number that a client gave must not be given again by the sequence, but for one beyond 2^52.
  SELECT max(number) INTO number_max FROM (
    SELECT CASE kind WHEN 'number' THEN name::bigint END AS number FROM (SELECT unnest(kinds) AS kind, unnest(names) AS name) n
  ) given WHERE number <= 4503599627370496;
  IF number_max >= (SELECT last_value FROM ledger.job_numbers) THEN
    PERFORM setval('ledger.job_numbers', number_max);
  END IF;
  -- The identities first, since it is they that clash if anything does.
  INSERT INTO ledger.identities (project, kind, value, job_id)
  SELECT unnest(named_in), unnest(kinds), unnest(names), unnest(named);
  INSERT INTO ledger.stored_events (notification_id, originator_version, recorded_at, occurred_at, originator_id, event_id,
                                    salt, topic, project, credential_id, state)
  SELECT position, version, moment, occurred_at, job_id, event_id, salt, topic, project, credential_id, state
  FROM (
    SELECT generate_series(head + 1, head + asked) AS position, unnest(versions) AS version, unnest(times) AS occurred_at, unnest(jobs) AS job_id,
           unnest(event_ids) AS event_id, unnest(topics) AS topic, unnest(projects) AS project, unnest(credentials) AS credential_id,
           unnest(states) AS state, unnest(salts) AS salt
    OFFSET 0
  ) e;
EXCEPTION WHEN unique_violation THEN
  head := NULL;
END $$;
COMMENT ON FUNCTION ledger.append_all IS
  'The way into the log for imports. It must stay SECURITY DEFINER and owned by jobledger_log, also when it is replaced.';
REVOKE EXECUTE ON FUNCTION ledger.append_all FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.append_all TO jobledger_app;
GRANT CREATE ON SCHEMA ledger TO jobledger_log;
ALTER FUNCTION ledger.append_all OWNER TO jobledger_log;
REVOKE CREATE ON SCHEMA ledger FROM jobledger_log;
