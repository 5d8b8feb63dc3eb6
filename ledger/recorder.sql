-- name: forwards
-- One job's events between two versions, oldest first.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM ledger.stored_events e
WHERE e.originator_id = %(job_id)s AND e.originator_version > %(gt)s AND e.originator_version <= %(lte)s
ORDER BY e.originator_version LIMIT %(limit)s

-- name: backwards
-- One job's events between two versions, newest first.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM ledger.stored_events e
WHERE e.originator_id = %(job_id)s AND e.originator_version > %(gt)s AND e.originator_version <= %(lte)s
ORDER BY e.originator_version DESC LIMIT %(limit)s

-- name: notifications
-- The log between two positions, of some topics or of all.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM ledger.stored_events e
WHERE e.notification_id > %(gt)s AND e.notification_id <= %(lte)s
  AND (%(topics)s::text[] IS NULL OR e.topic = ANY(%(topics)s::text[]))
ORDER BY e.notification_id LIMIT %(limit)s
