-- name: put
-- Set a rule.
INSERT INTO ledger.retention (project, type, state, days, reason, set_by)
VALUES (%(project)s, %(type)s, %(state)s, %(days)s, %(reason)s, %(by)s)
ON CONFLICT (project, type, state) DO UPDATE
SET days = excluded.days, reason = excluded.reason, set_by = excluded.set_by, set_at = clock_timestamp()
RETURNING *

-- name: drop
-- Forget a rule.
DELETE FROM ledger.retention WHERE project = %(project)s AND type = %(type)s AND state = %(state)s

-- name: rules
-- All rules, or those of a project.
SELECT * FROM ledger.retention WHERE project = %(project)s OR %(project)s::text IS NULL ORDER BY project, type, state

-- name: due
-- The ended jobs for which a rule decides, whose time is over, and of which something was said since they were last erased whole.
SELECT j.id FROM projections.jobs j
WHERE j.project = %(project)s AND j.state = %(state)s AND (j.final OR j.state <> 'Failed')
  AND coalesce(j.ended_at, j.updated_at) < %(now)s::timestamptz - make_interval(days => %(days)s)
  AND CASE %(type)s WHEN '' THEN NOT EXISTS (
        SELECT FROM ledger.retention r WHERE r.project = j.project AND r.type = j.type AND r.state = j.state)
      ELSE j.type = %(type)s END
  AND NOT EXISTS (
    SELECT FROM ledger.stored_events e
    WHERE e.originator_id = j.id AND e.topic = 'job.erased' AND e.originator_version = j.version
      AND ledger.body(e.state) -> 'event' -> 'everything' = 'true')
ORDER BY j.created_at, j.number
