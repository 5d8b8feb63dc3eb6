-- name: clock
-- The server's clock, and how many seconds the time of record of the last event is ahead of it; an empty log has none.
SELECT clock_timestamp(), CASE WHEN isfinite(recorded_at) THEN extract(epoch FROM recorded_at - clock_timestamp())::float8 ELSE 0 END
FROM ledger.head

-- name: connections
-- How many connections there are, how many may be, and how many of them are this ledger's where it answers requests.
SELECT count(*), current_setting('max_connections')::int,
       count(*) FILTER (WHERE application_name = 'jobledger jobledger_app' AND datname = current_database())
FROM pg_stat_activity WHERE backend_type = 'client backend'

-- name: kept
-- Which of these advisory locks somebody holds.
SELECT objid::bigint FROM pg_locks
WHERE locktype = 'advisory' AND classid = 0 AND objsubid = 1 AND granted AND objid::bigint = ANY(%s)
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
