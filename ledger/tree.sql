-- name: unsealed
-- Events behind a position, in order: what their leaves are made of. The hashes are made here, so that no body travels.
SELECT e.notification_id, uuid_send(e.originator_id), e.originator_version,
       sha256(sha256(%(blinding)s || int8send(e.notification_id))
              || uuid_send(e.event_id) || uuid_send(e.originator_id) || int8send(e.originator_version)
              || coalesce('\x01'::bytea || timestamptz_send(e.occurred_at), '\x00'::bytea)
              || '\x01'::bytea || timestamptz_send(e.recorded_at)
              || int4send(octet_length(e.project)) || convert_to(e.project, 'UTF8')
              || int4send(octet_length(e.topic)) || convert_to(e.topic, 'UTF8')
              || coalesce(int4send(octet_length(e.credential_id)) || convert_to(e.credential_id, 'UTF8'), '\xffffffff'::bytea)),
       sha256(coalesce(uuid_send(e.salt), ''::bytea) || e.state)
FROM ledger.stored_events e
WHERE e.notification_id > %(after)s AND e.notification_id <= %(to)s
ORDER BY e.notification_id

-- name: previous
-- The leaf hashes of some events, each named by its job and version.
SELECT uuid_send(e.originator_id), substring(t.hashes FROM ((e.notification_id - 1 - t.first) * 32 + 1)::integer FOR 32)
FROM unnest(%(jobs)s::uuid[], %(versions)s::bigint[]) AS asked (job_id, version)
JOIN ledger.stored_events e ON e.originator_id = asked.job_id AND e.originator_version = asked.version
JOIN LATERAL (
  SELECT first, hashes FROM proof.tiles
  WHERE epoch = %(epoch)s AND level = 0 AND first < e.notification_id ORDER BY first DESC LIMIT 1
) t ON true
WHERE e.notification_id <= %(size)s

-- name: size
-- How many leaves there are.
SELECT coalesce((SELECT first + octet_length(hashes) / 32 FROM proof.tiles
                 WHERE epoch = %s AND level = 0 ORDER BY first DESC LIMIT 1), 0)

-- name: hashes
-- A tile, in the pieces in which it was written.
SELECT first, hashes FROM proof.tiles WHERE epoch = %s AND level = %s AND first >= %s AND first < %s ORDER BY first

-- name: entries
-- A bundle of entries, in the pieces in which it was written.
SELECT first, entries FROM proof.leaves WHERE epoch = %s AND first >= %s AND first < %s ORDER BY first

-- name: add_hashes
-- Add to a tile.
INSERT INTO proof.tiles (epoch, level, first, hashes) VALUES (%s, %s, %s, %s)

-- name: add_entries
-- Add to a bundle.
INSERT INTO proof.leaves (epoch, first, entries) VALUES (%s, %s, %s)

-- name: head
-- The position of the last event.
SELECT position FROM ledger.head

-- name: epoch
-- The log that is signed now.
SELECT epoch, origin, blinding FROM proof.epochs ORDER BY epoch DESC LIMIT 1

-- name: begin
-- Begin a log to be signed.
INSERT INTO proof.epochs (epoch, origin, blinding, statement) VALUES (%s, %s, %s, %s)

-- name: publish
-- Keep a checkpoint for readers. It may be there already, when the one who signed it died before saying so.
INSERT INTO proof.checkpoints (epoch, size, note) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING

-- name: tell_key
-- Tell readers which keys sign.
INSERT INTO proof.keys (epoch, vkey) VALUES (%s, %s) ON CONFLICT DO NOTHING

-- name: stopped
-- Show why nothing is signed any more.
INSERT INTO proof.stopped (error, hint) VALUES (%s, %s)
ON CONFLICT (single) DO UPDATE SET error = excluded.error, hint = excluded.hint, at = clock_timestamp()

-- name: resumed
-- Show that checkpoints are signed again.
DELETE FROM proof.stopped
