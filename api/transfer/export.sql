-- name: projects
-- Every project that the log knows, by its index alone: one look-up a project, however long the log is.
WITH RECURSIVE known AS (
  (SELECT e.project FROM ledger.stored_events e ORDER BY e.project LIMIT 1)
  UNION ALL
  SELECT (SELECT e.project FROM ledger.stored_events e WHERE e.project > known.project ORDER BY e.project LIMIT 1)
  FROM known WHERE known.project IS NOT NULL
)
SELECT project FROM known WHERE project IS NOT NULL
