-- name: head
-- Where the log ends.
SELECT position FROM ledger.head

-- name: digest
-- All that stands in these rows of the log, as one hash: every column of every event, in order.
SELECT count(*), coalesce(max(e.notification_id), 0),
       sha256(coalesce(string_agg(sha256(convert_to(e::text, 'UTF8')), '' ORDER BY e.notification_id), ''))
FROM ledger.stored_events e WHERE e.notification_id > %(after)s AND e.notification_id <= %(to)s
