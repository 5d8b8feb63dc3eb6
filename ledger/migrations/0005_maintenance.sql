-- Maintenance: one row that an operator changes, and that every process of the ledger looks at.

CREATE TABLE ledger.maintenance (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  refused text COLLATE "C" NOT NULL DEFAULT 'nothing' CHECK (refused IN ('nothing', 'writes', 'all')),
  retry_after_s integer NOT NULL DEFAULT 60 CHECK (retry_after_s > 0),
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN ledger.maintenance.refused IS 'What the API answers 503 to: nothing, writes, or all but the pages about the ledger itself.';
INSERT INTO ledger.maintenance DEFAULT VALUES;

GRANT SELECT ON ledger.maintenance TO jobledger_app;
