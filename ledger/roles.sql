-- name: ensure
-- Make the roles that are missing, and let this login act as them. Roles belong to a whole server: another ledger on it may have made them already.
DO $$
DECLARE
  role record;
  granting text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
  FOR role IN SELECT * FROM (VALUES ('jobledger_app', true), ('jobledger_projector', true), ('jobledger_reader', true),
                                    ('jobledger_auditor', true), ('jobledger_prover', true),
                                    ('jobledger_keeper', true), ('jobledger_eraser', true), ('jobledger_log', false)) r (name, login)
  LOOP
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role.name) THEN
        EXECUTE format('CREATE ROLE %I %s', role.name, CASE WHEN role.login THEN 'LOGIN' ELSE 'NOLOGIN' END);
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
    BEGIN
      IF role.login AND EXISTS (SELECT FROM pg_roles WHERE rolname = role.name AND NOT rolcanlogin) THEN
        EXECUTE format('ALTER ROLE %I LOGIN', role.name);
      END IF;
    -- Two at once do the same; and a login that may not alter a role can still act as it.
    EXCEPTION WHEN insufficient_privilege OR internal_error THEN NULL;
    END;
    IF NOT pg_has_role(current_user, role.name, granting) THEN
      EXECUTE format('GRANT %I TO CURRENT_USER', role.name);
    END IF;
  END LOOP;
  BEGIN
    -- Of how a session writes its own changes to the write-ahead log, no more than their size: builds of read models are quicker so. Only who owns the
    -- server can allow it; without it they are slower, and that is all.
    IF NOT has_parameter_privilege('jobledger_projector', 'wal_compression', 'SET') THEN
      GRANT SET ON PARAMETER wal_compression TO jobledger_projector;
    END IF;
  EXCEPTION WHEN insufficient_privilege OR unique_violation OR internal_error THEN NULL;
  END;
END $$
