-- Walls between tenants: row-level security on every table that holds rows of projects, and one way into the log.

-- What a statement may see: the projects in the setting ledger.projects, which lives as long as its transaction. Unset, it sees none.
CREATE FUNCTION ledger.sight() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('ledger.projects', true), '')::text[];
COMMENT ON FUNCTION ledger.sight IS 'The projects that this transaction may see as jobledger_reader.';

-- Put a table that has a column `project` behind the wall. Its owner calls this; grants say who may do what, policies with which rows.
CREATE FUNCTION ledger.wall(walled regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', walled);
  EXECUTE format('DROP POLICY IF EXISTS sight ON %s', walled);
  EXECUTE format('DROP POLICY IF EXISTS everything ON %s', walled);
  -- The subquery is evaluated once a statement, not once a row.
  EXECUTE format('CREATE POLICY sight ON %s FOR SELECT TO jobledger_reader'
                 ' USING (project = ANY ((SELECT ledger.sight())::text[]))', walled);
  -- One commit, one fold and one audit are about many projects at once.
  EXECUTE format('CREATE POLICY everything ON %s'
                 ' TO jobledger_app, jobledger_log, jobledger_projector, jobledger_auditor USING (true) WITH CHECK (true)', walled);
END $$;
COMMENT ON FUNCTION ledger.wall IS 'Row-level security for a table of many projects: readers see the projects of ledger.sight(), the ledger itself all.';
GRANT EXECUTE ON FUNCTION ledger.wall TO jobledger_projector;

SELECT ledger.wall('ledger.stored_events'), ledger.wall('ledger.identities'), ledger.wall('ledger.idempotency_keys');
-- With its owner's rights the view would show everybody everything.
ALTER VIEW ledger.events SET (security_invoker = true);

-- ledger.append is the one way in: it runs as the role that owns it, which nobody can log in as, and nobody else may insert.
GRANT USAGE ON SCHEMA ledger TO jobledger_log, jobledger_reader, jobledger_auditor;
GRANT SELECT, INSERT ON ledger.stored_events, ledger.identities, ledger.idempotency_keys TO jobledger_log;
GRANT SELECT, UPDATE ON ledger.head TO jobledger_log;
GRANT SELECT, UPDATE, USAGE ON ledger.job_numbers TO jobledger_log;
REVOKE INSERT ON ledger.stored_events, ledger.identities, ledger.idempotency_keys FROM jobledger_app;
REVOKE UPDATE ON ledger.head FROM jobledger_app;
REVOKE SELECT, UPDATE ON ledger.job_numbers FROM jobledger_app;
ALTER FUNCTION ledger.append(jsonb) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger.append IS 'The one way into the log. It must stay SECURITY DEFINER and owned by jobledger_log, also when it is replaced.';
REVOKE EXECUTE ON FUNCTION ledger.append(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.append(jsonb) TO jobledger_app;
GRANT CREATE ON SCHEMA ledger TO jobledger_log;
ALTER FUNCTION ledger.append(jsonb) OWNER TO jobledger_log;
REVOKE CREATE ON SCHEMA ledger FROM jobledger_log;

-- A superuser passes every grant and every policy, so a trigger says it to him too.
CREATE TRIGGER one_way_in BEFORE INSERT ON ledger.stored_events
  FOR EACH STATEMENT WHEN (current_user <> 'jobledger_log') EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER one_way_in BEFORE INSERT ON ledger.identities
  FOR EACH STATEMENT WHEN (current_user <> 'jobledger_log') EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER one_way_in BEFORE INSERT ON ledger.idempotency_keys
  FOR EACH STATEMENT WHEN (current_user <> 'jobledger_log') EXECUTE FUNCTION ledger.refuse_change();

-- The reader answers for one credential at a time, the auditor for the operator.
GRANT SELECT ON ledger.stored_events, ledger.identities, ledger.idempotency_keys, ledger.head, ledger.events, ledger.migrations,
  ledger.maintenance TO jobledger_reader, jobledger_auditor;

-- Keys: the reader may ask for one whose id it knows, and for no list.
GRANT USAGE ON SCHEMA access TO jobledger_reader, jobledger_keeper;
GRANT SELECT, INSERT, UPDATE ON access.keys TO jobledger_keeper;
REVOKE SELECT ON access.keys FROM jobledger_app;
ALTER TABLE access.keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY keeping ON access.keys TO jobledger_keeper USING (true) WITH CHECK (true);
CREATE FUNCTION access.key(asked text) RETURNS SETOF access.keys LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT k.* FROM access.keys k WHERE k.key_id = asked';
COMMENT ON FUNCTION access.key IS 'The key of this id: what every authentication that is not cached asks.';
REVOKE EXECUTE ON FUNCTION access.key(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION access.key(text) TO jobledger_reader;
GRANT CREATE ON SCHEMA access TO jobledger_keeper;
ALTER FUNCTION access.key(text) OWNER TO jobledger_keeper;
REVOKE CREATE ON SCHEMA access FROM jobledger_keeper;

-- Read models, those that are there and those to come.
GRANT USAGE ON SCHEMA projections TO jobledger_reader, jobledger_auditor;
SET LOCAL ROLE jobledger_projector;
ALTER DEFAULT PRIVILEGES IN SCHEMA projections GRANT SELECT ON TABLES TO jobledger_reader, jobledger_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA projections TO jobledger_reader, jobledger_auditor;
DO $$
DECLARE found record;
BEGIN
  FOR found IN
    SELECT c.oid::regclass AS name, c.relkind FROM pg_class c
    WHERE c.relnamespace = 'projections'::regnamespace AND c.relkind IN ('r', 'v')
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'project')
  LOOP
    IF found.relkind = 'r' THEN
      PERFORM ledger.wall(found.name);
    ELSE
      EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', found.name);
    END IF;
  END LOOP;
END $$;
RESET ROLE;
