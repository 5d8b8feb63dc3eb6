-- Who may ask: API keys. Secrets are kept only as keyed hashes, or sealed where a signature has to be computed from them.

CREATE SCHEMA access;
CREATE TABLE access.keys (
  key_id text COLLATE "C" PRIMARY KEY,
  project text COLLATE "C" NOT NULL,
  name text NOT NULL,
  scopes text[] NOT NULL,
  key_hash bytea NOT NULL,
  sealed_secret bytea,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz
);
COMMENT ON COLUMN access.keys.key_hash IS 'HMAC-SHA256 of the key under the ledger''s secret, which is not in this database.';
COMMENT ON COLUMN access.keys.sealed_secret IS 'The shared secret of a signing key, encrypted under the ledger''s secret.';

GRANT USAGE ON SCHEMA access TO jobledger_app;
GRANT SELECT ON access.keys TO jobledger_app;
