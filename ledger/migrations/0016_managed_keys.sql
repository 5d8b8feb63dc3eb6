-- Keys managed over HTTP: what a good key that may manage keys can do in its own project, and nothing more, whoever calls these functions.

ALTER TABLE access.acts ADD COLUMN by_key text COLLATE "C";
COMMENT ON COLUMN access.acts.by_key IS 'The key that did it, over HTTP; null for the operator''s commands.';

-- The key that manages. Its hash is the proof that the caller has seen it: the committer's role can read no hash.
CREATE FUNCTION access.manager(by_key text, by_hash bytea, of_project text) RETURNS access.keys
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found access.keys;
BEGIN
  SELECT k.* INTO found FROM access.keys k
  WHERE k.key_id = by_key AND k.key_hash = by_hash AND k.project = of_project AND k.revoked_at IS NULL
    AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp()) AND k.scopes && ARRAY['keys:manage', 'admin'];
  IF found.key_id IS NULL THEN
    RAISE EXCEPTION 'This key manages no keys of that project.' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN found;
END $$;
COMMENT ON FUNCTION access.manager IS 'The key of this id and hash, if it is good and may manage keys of the project; an error otherwise.';

CREATE FUNCTION access.check_grant(manager access.keys, scopes text[]) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF 'admin' = ANY (manager.scopes) THEN
    RETURN;
  END IF;
  IF NOT scopes <@ (manager.scopes || CASE WHEN 'jobs:write' = ANY (manager.scopes) THEN ARRAY['jobs:cancel'] ELSE '{}' END) THEN
    RAISE EXCEPTION 'A key grants no scope that it lacks.' USING ERRCODE = 'insufficient_privilege';
  END IF;
END $$;
COMMENT ON FUNCTION access.check_grant IS 'An error unless this key may hand out these scopes.';

-- made: {key_id, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, reason}; bytes in hex.
CREATE FUNCTION access.keep(manager access.keys, made jsonb, lasts interval, act text) RETURNS access.keys
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  kept access.keys;
BEGIN
  INSERT INTO access.keys AS k (key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, expires_at)
  VALUES (made ->> 'key_id', manager.project, made ->> 'name', ARRAY(SELECT jsonb_array_elements_text(made -> 'scopes')),
          decode(made ->> 'key_hash', 'hex'), decode(made ->> 'sealed_secret', 'hex'), made ->> 'signature',
          decode(made ->> 'public_key', 'hex'), made ->> 'replaces', clock_timestamp() + lasts)
  RETURNING * INTO kept;
  INSERT INTO access.acts (act, key_id, project, actor, reason, by_key)
  VALUES (act, kept.key_id, kept.project, manager.name, made ->> 'reason', manager.key_id);
  RETURN kept;
END $$;
COMMENT ON FUNCTION access.keep IS 'Add a key to the manager''s project, and the account of it.';

CREATE FUNCTION access.issue(by_key text, by_hash bytea, of_project text, made jsonb, lasts interval, good_max integer)
RETURNS SETOF access.keys
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  manager access.keys := access.manager(by_key, by_hash, of_project);
BEGIN
  PERFORM access.check_grant(manager, ARRAY(SELECT jsonb_array_elements_text(made -> 'scopes')));
  PERFORM pg_advisory_xact_lock(hashtextextended('access.issue ' || of_project, 0));
  IF (SELECT count(*) FROM access.keys k
      WHERE k.project = of_project AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())) >= good_max THEN
    RAISE EXCEPTION 'The project has % good keys already.', good_max USING ERRCODE = 'program_limit_exceeded';
  END IF;
  RETURN NEXT access.keep(manager, made - 'replaces', lasts, 'created');
END $$;
COMMENT ON FUNCTION access.issue IS 'A new key of the manager''s project, with no scope that the manager lacks. At most good_max are good at once.';

CREATE FUNCTION access.rotate(by_key text, by_hash bytea, of_project text, old_key text, made jsonb, lasts interval, overlap interval)
RETURNS SETOF access.keys
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  manager access.keys := access.manager(by_key, by_hash, of_project);
  old access.keys;
BEGIN
  SELECT k.* INTO old FROM access.keys k WHERE k.key_id = old_key AND k.project = of_project FOR UPDATE;
  IF old.key_id IS NULL THEN
    RAISE EXCEPTION 'There is no such key.' USING ERRCODE = 'no_data_found';
  END IF;
  PERFORM access.check_grant(manager, old.scopes);
  IF old.revoked_at IS NOT NULL OR old.expires_at <= clock_timestamp() THEN
    RAISE EXCEPTION 'The key is revoked or expired.' USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  IF EXISTS (SELECT FROM access.keys k WHERE k.replaces = old_key AND k.revoked_at IS NULL
             AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())) THEN
    RAISE EXCEPTION 'The key was rotated already, and its successor is good.' USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  UPDATE access.keys k SET expires_at = least(k.expires_at, clock_timestamp() + overlap) WHERE k.key_id = old_key;
  RETURN NEXT access.keep(manager, made || jsonb_build_object(
    'name', old.name, 'scopes', to_jsonb(old.scopes), 'signature', old.signature, 'replaces', old_key), lasts, 'rotated');
END $$;
COMMENT ON FUNCTION access.rotate IS 'A key like an old one of the project, which ends after the overlap. No scope comes of it that the manager lacks.';

CREATE FUNCTION access.revoke(by_key text, by_hash bytea, of_project text, ended_key text, why text) RETURNS SETOF access.keys
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  manager access.keys := access.manager(by_key, by_hash, of_project);
BEGIN
  WITH ended AS (
    UPDATE access.keys k SET revoked_at = clock_timestamp()
    WHERE k.key_id = ended_key AND k.project = of_project AND k.revoked_at IS NULL RETURNING k.*
  )
  INSERT INTO access.acts (act, key_id, project, actor, reason, by_key)
  SELECT 'revoked', e.key_id, e.project, manager.name, why, manager.key_id FROM ended e;
  RETURN QUERY SELECT k.* FROM access.keys k WHERE k.key_id = ended_key AND k.project = of_project;
END $$;
COMMENT ON FUNCTION access.revoke IS 'End a key of the manager''s project, whatever it may: the first time stands. No row: there is no such key.';

-- Hashes and sealed secrets stay behind the wall.
CREATE FUNCTION access.listed(by_key text, by_hash bytea, of_project text, after_key text, most integer) RETURNS SETOF access.keys
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  manager access.keys := access.manager(by_key, by_hash, of_project);
BEGIN
  RETURN QUERY
    SELECT k.key_id, k.project, k.name, k.scopes, ''::bytea, NULL::bytea, k.created_at, k.expires_at, k.revoked_at, k.signature,
           NULL::bytea, k.replaces
    FROM access.keys k
    WHERE k.project = manager.project AND (after_key IS NULL OR (k.created_at, k.key_id) > (
      SELECT o.created_at, o.key_id FROM access.keys o WHERE o.key_id = after_key AND o.project = manager.project))
    ORDER BY k.created_at, k.key_id LIMIT most;
END $$;
COMMENT ON FUNCTION access.listed IS 'Keys of the manager''s project, by age, behind one of them; without anything secret.';

CREATE FUNCTION access.told(by_key text, by_hash bytea, of_project text, before_act bigint, most integer) RETURNS SETOF access.acts
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  manager access.keys := access.manager(by_key, by_hash, of_project);
BEGIN
  RETURN QUERY SELECT a.* FROM access.acts a
    WHERE a.project = manager.project AND a.nth < before_act ORDER BY a.nth DESC LIMIT most;
END $$;
COMMENT ON FUNCTION access.told IS 'What was done to keys of the manager''s project, the newest first.';

-- Keys and acts are few: their tables are locked for a moment only.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX acts_project ON access.acts (project, nth);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX keys_project ON access.keys (project, created_at, key_id);

-- The keeper owns them all; the committer may call those that ask for a manager's key.
GRANT CREATE ON SCHEMA access TO jobledger_keeper;
DO $$
DECLARE
  named record;
BEGIN
  FOR named IN
    SELECT p.oid::regprocedure AS name, p.proname IN ('issue', 'rotate', 'revoke', 'listed', 'told') AS open
    FROM pg_proc p WHERE p.pronamespace = 'access'::regnamespace
      AND p.proname IN ('manager', 'check_grant', 'keep', 'issue', 'rotate', 'revoke', 'listed', 'told')
  LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO jobledger_keeper', named.name);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', named.name);
    IF named.open THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO jobledger_app', named.name);
    END IF;
  END LOOP;
END $$;
REVOKE CREATE ON SCHEMA access FROM jobledger_keeper;
