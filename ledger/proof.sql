-- name: job
-- Every event of a job up to a position, with all that stands under its leaf.
SELECT notification_id, event_id, originator_id, originator_version, occurred_at, recorded_at, project, topic, credential_id, salt, state
FROM ledger.stored_events
WHERE originator_id = %(job_id)s AND project = %(project)s AND notification_id <= %(size)s
ORDER BY originator_version

-- name: event
-- One event, with all that stands under its leaf.
SELECT notification_id, event_id, originator_id, originator_version, occurred_at, recorded_at, project, topic, credential_id, salt, state
FROM ledger.stored_events
WHERE notification_id = %(position)s AND project = %(project)s

-- name: project
-- The project of a job.
SELECT project FROM ledger.stored_events WHERE originator_id = %s AND originator_version = 1

-- name: before
-- The position of an event of a job.
SELECT notification_id FROM ledger.stored_events WHERE originator_id = %s AND originator_version = %s

-- name: last
-- The last checkpoint of the log that is signed now, and what blinds its leaves.
SELECT e.epoch, e.origin, e.blinding, c.size, c.note
FROM proof.epochs e JOIN proof.checkpoints c ON c.epoch = e.epoch
ORDER BY e.epoch DESC, c.size DESC LIMIT 1

-- name: tiles
-- Some tiles, in the pieces in which they were written.
SELECT asked.level, asked.index, t.first, t.hashes
FROM unnest(%(levels)s::integer[], %(indexes)s::bigint[]) AS asked (level, index)
JOIN proof.tiles t ON t.epoch = %(epoch)s AND t.level = asked.level AND t.first >= asked.index * 256 AND t.first < asked.index * 256 + 256
ORDER BY t.level, t.first

-- name: leaf
-- The piece of a bundle in which a leaf stands.
SELECT first, entries FROM proof.leaves WHERE epoch = %s AND first <= %s ORDER BY first DESC LIMIT 1

-- name: bundle
-- The pieces of a bundle, in order.
SELECT entries FROM proof.leaves WHERE epoch = %s AND first >= %s AND first < %s ORDER BY first

-- name: standing
-- How far the log is sealed, and why no further.
SELECT h.position, last.origin, coalesce(last.size, 0), last.signed_at, s.error, s.hint
FROM ledger.head h
LEFT JOIN LATERAL (
  SELECT e.origin, c.size, c.signed_at FROM proof.checkpoints c JOIN proof.epochs e ON e.epoch = c.epoch
  ORDER BY c.epoch DESC, c.size DESC LIMIT 1
) last ON true
LEFT JOIN proof.stopped s ON true

-- name: anchored
-- What each place outside took last, and since when the next checkpoint waits for it.
SELECT a.sink, a.size, a.at, a.error, c.signed_at FROM proof.anchored a
LEFT JOIN LATERAL (
  SELECT signed_at FROM proof.checkpoints WHERE (epoch, size) > (a.epoch, a.size) ORDER BY epoch, size LIMIT 1
) c ON true
ORDER BY a.sink
