-- name: tables
-- Every table of the ledger, which may all hold values of persons.
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('ledger', 'access', 'projections', 'proof') AND c.relkind = 'r' ORDER BY 1, 2
