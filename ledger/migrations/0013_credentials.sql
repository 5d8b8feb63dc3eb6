-- Credentials: what a key signs with, which key it replaced, and an account of all that was ever done to keys.

ALTER TABLE access.keys
  ADD COLUMN signature text COLLATE "C" CHECK (signature IN ('md5', 'hmac-sha256', 'ed25519')),
  ADD COLUMN public_key bytea,
  ADD COLUMN replaces text COLLATE "C";
SET LOCAL ROLE jobledger_keeper;
UPDATE access.keys SET signature = 'md5' WHERE sealed_secret IS NOT NULL;
RESET ROLE;
COMMENT ON COLUMN access.keys.signature IS 'How its requests are signed; null for a key that is sent whole.';
COMMENT ON COLUMN access.keys.public_key IS 'The Ed25519 key, 32 bytes, of which the private half is the client''s alone.';
COMMENT ON COLUMN access.keys.replaces IS 'The key that this one was issued to take over from; both are good for a while.';

CREATE TABLE access.acts (
  nth bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  act text COLLATE "C" NOT NULL CHECK (act IN ('created', 'rotated', 'revoked')),
  key_id text COLLATE "C" NOT NULL,
  project text COLLATE "C" NOT NULL,
  actor text NOT NULL,
  reason text
);
COMMENT ON TABLE access.acts IS 'Who issued, rotated and revoked which key, when and why. Written in the transaction of what it tells of.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access.acts
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE access.acts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY keeping ON access.acts TO jobledger_keeper USING (true) WITH CHECK (true);
CREATE POLICY auditing ON access.acts FOR SELECT TO jobledger_auditor USING (true);
GRANT SELECT, INSERT ON access.acts TO jobledger_keeper;
GRANT USAGE ON SCHEMA access TO jobledger_auditor;
GRANT SELECT ON access.acts TO jobledger_auditor;

-- Nonces of signed requests, as long as such a request would still be taken.
CREATE TABLE access.nonces (
  key_id text COLLATE "C" NOT NULL,
  nonce text COLLATE "C" NOT NULL,
  until timestamptz NOT NULL,
  PRIMARY KEY (key_id, nonce)
);
CREATE INDEX nonces_until ON access.nonces (until);
ALTER TABLE access.nonces ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY keeping ON access.nonces TO jobledger_keeper USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON access.nonces TO jobledger_keeper;
CREATE FUNCTION access.take_nonce(key_id text, nonce text, keep interval) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM access.nonces n WHERE (n.key_id, n.nonce) IN (
    SELECT o.key_id, o.nonce FROM access.nonces o WHERE o.until < clock_timestamp() ORDER BY o.until LIMIT 16 FOR UPDATE SKIP LOCKED);
  WITH taken AS (
    INSERT INTO access.nonces VALUES (key_id, nonce, clock_timestamp() + keep) ON CONFLICT DO NOTHING RETURNING true
  )
  SELECT EXISTS (SELECT FROM taken);
$$;
COMMENT ON FUNCTION access.take_nonce IS 'Whether this nonce was never seen before, in any process. It is remembered for so long.';
REVOKE EXECUTE ON FUNCTION access.take_nonce(text, text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION access.take_nonce(text, text, interval) TO jobledger_reader;
GRANT CREATE ON SCHEMA access TO jobledger_keeper;
ALTER FUNCTION access.take_nonce(text, text, interval) OWNER TO jobledger_keeper;
REVOKE CREATE ON SCHEMA access FROM jobledger_keeper;
