-- name: commits
-- How many commits wrote the events behind one position up to another: those of one share their time of record.
SELECT count(DISTINCT recorded_at) FROM ledger.stored_events WHERE notification_id > %s AND notification_id <= %s
