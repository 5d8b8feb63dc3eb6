-- name: place
-- Place a hold, unless the same stands.
INSERT INTO ledger.holds (project, kind, value, reason, placed_by) VALUES (%(project)s, %(kind)s, %(value)s, %(reason)s, %(by)s)
ON CONFLICT (project, kind, value) WHERE released_at IS NULL DO NOTHING RETURNING *

-- name: standing
-- The hold that stands on this.
SELECT * FROM ledger.holds WHERE project = %(project)s AND kind = %(kind)s AND value = %(value)s AND released_at IS NULL

-- name: release
-- End a hold, once.
UPDATE ledger.holds SET released_by = %(by)s, released_at = clock_timestamp(), release_reason = %(reason)s
WHERE hold_id = %(hold_id)s AND released_at IS NULL RETURNING *

-- name: listed
-- All holds, or those of a project.
SELECT * FROM ledger.holds WHERE project = %(project)s OR %(project)s::text IS NULL ORDER BY project, placed_at, hold_id
