-- name: append
-- One commit of many writes; see the function's own comment for the batch and the answer.
SELECT head, moment, refused FROM ledger.append(%s::jsonb)

-- name: streams
-- The events of some jobs, each from behind a version on, in version order.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM unnest(%s::uuid[], %s::bigint[]) AS asked (job_id, version)
JOIN ledger.stored_events e ON e.originator_id = asked.job_id AND e.originator_version > asked.version
ORDER BY e.originator_id, e.originator_version

-- name: stream_to
-- The events of one job up to and with a version: what a repeated request was answered from.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM ledger.stored_events e
WHERE e.originator_id = %s AND e.originator_version <= %s
ORDER BY e.originator_version

-- name: read_after
-- The log behind a position, in order. Positions are dense, so there is no gap to wait for.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM ledger.stored_events e
WHERE e.notification_id > %s
ORDER BY e.notification_id LIMIT %s

-- name: read_project_after
-- One project's share of the log behind a position, in order.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM ledger.stored_events e
WHERE e.project = %s AND e.notification_id > %s
ORDER BY e.notification_id LIMIT %s

-- name: events_there
-- Which of these events are in the log: how an unknown outcome becomes known.
SELECT e.event_id, e.notification_id, e.recorded_at
FROM unnest(%s::uuid[], %s::bigint[]) AS asked (job_id, version)
JOIN ledger.stored_events e ON e.originator_id = asked.job_id AND e.originator_version = asked.version

-- name: holders
-- Which of these identities are taken, and by which job.
SELECT i.kind, i.value, i.job_id
FROM unnest(%s::text[], %s::text[], %s::text[]) AS asked (project, kind, value)
JOIN ledger.identities i ON i.project = asked.project AND i.kind = asked.kind AND i.value = asked.value

-- name: key
-- What an idempotency key stands for.
SELECT request_hash, outcome FROM ledger.idempotency_keys WHERE project = %s AND key = %s

-- name: head
-- The position of the last event.
SELECT position FROM ledger.head

-- name: numbers
-- Draw the next job numbers.
SELECT nextval('ledger.job_numbers') FROM generate_series(1, %s)
