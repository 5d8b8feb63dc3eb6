-- name: holding
-- The jobs of a project with this text anywhere in a body; every body of the project is looked at.
SELECT DISTINCT originator_id FROM ledger.stored_events WHERE project = %s AND position(%s::bytea IN state) > 0

-- name: bodies
-- The events of some jobs of a project, in version order.
SELECT originator_id, originator_version, notification_id, topic, state FROM ledger.stored_events
WHERE originator_id = ANY (%s) AND project = %s ORDER BY originator_id, originator_version

-- name: erase
-- Rewrite bodies, and append the events that say so; see the function's own comment.
SELECT ledger.erase(%s::jsonb, %s::jsonb)

-- name: erase_beside
-- Take a value out of what lies beside the log.
SELECT ledger.erase_beside(%s, %s)
