-- name: events
-- Events behind a position, in order: everything that stands under their leaves.
SELECT e.notification_id, uuid_send(e.originator_id), e.originator_version, uuid_send(e.event_id),
       timestamptz_send(e.occurred_at), timestamptz_send(e.recorded_at), e.project, e.topic, e.credential_id,
       uuid_send(e.salt), e.state
FROM ledger.stored_events e
WHERE e.notification_id > %s
ORDER BY e.notification_id LIMIT %s

-- name: leaves
-- The stored leaves from an index on, and their stored hashes beside them.
SELECT l.first, l.entries, t.hashes
FROM proof.leaves l LEFT JOIN proof.tiles t ON t.epoch = l.epoch AND t.level = 0 AND t.first = l.first
WHERE l.epoch = %(epoch)s AND l.first >= %(first)s AND l.first < %(end)s
ORDER BY l.first

-- name: upper
-- The hashes of the levels above, in the order in which they come about.
SELECT level, first, hashes FROM proof.tiles WHERE epoch = %s AND level > 0 ORDER BY level, first

-- name: counted
-- What the ledger believes of its length, and what is there: the head, the last event, how many there are, the last leaf's end.
SELECT (SELECT position FROM ledger.head),
       (SELECT coalesce(max(notification_id), 0) FROM ledger.stored_events),
       (SELECT count(*) FROM ledger.stored_events),
       (SELECT count(*) FROM ledger.stored_events WHERE notification_id < 1)

-- name: checkpoints
-- The stored checkpoints of a log, in order of size.
SELECT size, note FROM proof.checkpoints WHERE epoch = %s AND size >= %s ORDER BY size

-- name: epochs
-- The logs that were signed.
SELECT epoch, origin, blinding, statement FROM proof.epochs ORDER BY epoch

-- name: keys
-- The keys that say of themselves that they sign.
SELECT vkey FROM proof.keys ORDER BY since, vkey
