-- Tamper evidence: a Merkle tree over the log, its signed checkpoints, and where they were handed to.

CREATE SCHEMA proof;

CREATE TABLE proof.epochs (
  epoch integer PRIMARY KEY CHECK (epoch > 0),
  origin text COLLATE "C" NOT NULL UNIQUE,
  blinding bytea NOT NULL CHECK (octet_length(blinding) = 32),
  began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  statement text NOT NULL
);
COMMENT ON TABLE proof.epochs IS 'The logs that were signed, one after another. There is a second one only when somebody said why.';
COMMENT ON COLUMN proof.epochs.blinding IS 'Blinds what stands in the leaves, so that they may be shown to anybody.';
COMMENT ON COLUMN proof.epochs.statement IS 'The signed note with which it began; from the second one on it says what ended, and why.';

-- A row is what one commit added to one tile, so that nothing is ever written twice; it never reaches into the next tile.
CREATE TABLE proof.leaves (
  epoch integer NOT NULL REFERENCES proof.epochs,
  first bigint NOT NULL CHECK (first >= 0),
  entries bytea NOT NULL,
  PRIMARY KEY (epoch, first)
);
COMMENT ON COLUMN proof.leaves.first IS 'The index of its first leaf: a position less 1.';
COMMENT ON COLUMN proof.leaves.entries IS 'Leaves as C2SP''s entry bundles have them: each behind its length in two bytes.';

CREATE TABLE proof.tiles (
  epoch integer NOT NULL REFERENCES proof.epochs,
  level integer NOT NULL CHECK (level >= 0),
  first bigint NOT NULL CHECK (first >= 0),
  hashes bytea NOT NULL,
  PRIMARY KEY (epoch, level, first)
);
COMMENT ON COLUMN proof.tiles.level IS '0: hashes of leaves; each further level holds the roots of full tiles of the one below.';

-- Hashes do not compress, and the leaves are hashes.
ALTER TABLE proof.leaves ALTER COLUMN entries SET STORAGE EXTERNAL;
ALTER TABLE proof.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TABLE proof.checkpoints (
  epoch integer NOT NULL REFERENCES proof.epochs,
  size bigint NOT NULL CHECK (size > 0),
  note text NOT NULL,
  signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (epoch, size)
);

CREATE TABLE proof.keys (
  vkey text COLLATE "C" PRIMARY KEY,
  epoch integer NOT NULL REFERENCES proof.epochs,
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE proof.keys IS 'The keys that ever signed, for convenience: an auditor believes the copy that was got by another way.';

CREATE TABLE proof.anchored (
  sink text COLLATE "C" PRIMARY KEY,
  epoch integer NOT NULL DEFAULT 0,
  size bigint NOT NULL DEFAULT 0,
  at timestamptz,
  error text,
  failed_at timestamptz
);
COMMENT ON TABLE proof.anchored IS 'The last checkpoint that each place outside has taken, and why it did not take the next.';

CREATE TABLE proof.stopped (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  error text NOT NULL,
  hint text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE proof.stopped IS 'Why the signer signs nothing more; empty while it does.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proof.epochs
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proof.leaves
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proof.tiles
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proof.checkpoints
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proof.keys
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

GRANT USAGE ON SCHEMA ledger, proof TO jobledger_prover;
GRANT SELECT ON ledger.stored_events, ledger.head TO jobledger_prover;
-- The tree is over the events of all projects.
CREATE POLICY sealing ON ledger.stored_events FOR SELECT TO jobledger_prover USING (true);
GRANT SELECT, INSERT ON proof.epochs, proof.leaves, proof.tiles, proof.checkpoints, proof.keys TO jobledger_prover;
GRANT SELECT, INSERT, UPDATE, DELETE ON proof.anchored, proof.stopped TO jobledger_prover;
GRANT USAGE ON SCHEMA proof TO jobledger_reader, jobledger_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA proof TO jobledger_reader, jobledger_auditor;
