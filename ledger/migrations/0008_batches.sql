-- Batches: items that were handed in to be applied one after the other, and what became of each. They lie beside the log, not in it.

CREATE TABLE ledger.batches (
  job_id uuid PRIMARY KEY,
  project text COLLATE "C" NOT NULL,
  form text COLLATE "C" NOT NULL,
  shared text,
  actor text NOT NULL,
  credential_id text COLLATE "C",
  request_id text,
  accepted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  items integer NOT NULL CHECK (items > 0),
  applied integer NOT NULL DEFAULT 0 CHECK (applied BETWEEN 0 AND items),
  failed integer NOT NULL DEFAULT 0 CHECK (failed BETWEEN 0 AND applied),
  finished_at timestamptz
);
COMMENT ON COLUMN ledger.batches.job_id IS 'The batch''s own job, whose events tell how it goes.';
COMMENT ON COLUMN ledger.batches.form IS 'Who can read the items: the dialect in which they were sent.';
COMMENT ON COLUMN ledger.batches.applied IS 'Items that have a result: they are applied in order, so these are the first ones.';
CREATE INDEX batches_unfinished ON ledger.batches (project, accepted_at, job_id) WHERE finished_at IS NULL;
CREATE INDEX batches_finished ON ledger.batches (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE ledger.batch_items (
  job_id uuid NOT NULL,
  nth integer NOT NULL,
  project text COLLATE "C" NOT NULL,
  item text NOT NULL,
  PRIMARY KEY (job_id, nth)
);
COMMENT ON COLUMN ledger.batch_items.item IS 'The item as its client sent it, character by character.';

-- A row is written in the transaction of the item's events, so its key is also what keeps an item from being applied twice.
CREATE TABLE ledger.batch_results (
  job_id uuid NOT NULL,
  nth integer NOT NULL,
  project text COLLATE "C" NOT NULL,
  about uuid,
  position bigint,
  code text COLLATE "C",
  message text,
  PRIMARY KEY (job_id, nth),
  CHECK ((position IS NULL) <> (code IS NULL))
);
COMMENT ON COLUMN ledger.batch_results.position IS 'Where the item''s event stands in the log, or the last event of a job that had ended so already.';

GRANT SELECT, INSERT, DELETE ON ledger.batches, ledger.batch_items, ledger.batch_results TO jobledger_app;
GRANT SELECT ON ledger.batches, ledger.batch_items, ledger.batch_results TO jobledger_reader, jobledger_auditor;
SELECT ledger.wall('ledger.batches'), ledger.wall('ledger.batch_items'), ledger.wall('ledger.batch_results');
GRANT UPDATE (applied, failed, finished_at) ON ledger.batches TO jobledger_app;
