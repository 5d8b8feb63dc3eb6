-- name: events_of_job
-- One job's events behind a position, in order, if it belongs to the project.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM ledger.stored_events e
WHERE e.originator_id = %(job_id)s AND e.project = %(project)s AND e.notification_id > %(after)s
ORDER BY e.originator_version LIMIT %(limit)s
