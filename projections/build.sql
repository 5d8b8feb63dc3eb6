-- name: drop
-- Forget a table, and whatever views others made of it: they must not hold it.
DROP TABLE IF EXISTS {table} CASCADE

-- name: untrack
-- Forget the position of a table.
DELETE FROM projections.notification_tracking WHERE application_name = %s

-- name: stopped
-- Show which event a table cannot fold.
INSERT INTO projections.stopped (name, position, error) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, error = excluded.error, at = clock_timestamp()

-- name: resumed
-- Say no more that a table has stopped.
DELETE FROM projections.stopped WHERE name = %s

-- name: position
-- How far a table is, if it is there.
SELECT notification_id FROM projections.notification_tracking
WHERE application_name = %(table)s AND to_regclass(%(qualified)s) IS NOT NULL

-- name: indexed
-- Whether a table has as many indexes beyond the primary key as are made after a build, all or none of them.
SELECT count(*) >= %s FROM pg_index WHERE indrelid = to_regclass(%s) AND NOT indisprimary

-- name: quick
-- Until the end of the transaction remember less of each column, enough for the first readers; and write the pages of indexes to the write-ahead log as
-- they are, where this role may say so: they are written once, and compressing them takes a third of the time that making them takes.
SELECT set_config('default_statistics_target', %s, true),
       CASE WHEN has_parameter_privilege('wal_compression', 'SET') THEN set_config('wal_compression', 'off', true) END

-- name: asked
-- The columns that a table is asked by.
SELECT attname FROM pg_attribute a
WHERE attrelid = to_regclass(%s) AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND a.attnum = ANY (i.indkey))
ORDER BY attnum

-- name: analyze
-- Count what is there, so that the first readers are not planned for an empty table. Wide columns that nobody asks by take as long again, and may
-- wait for the autovacuum, which still takes the table for one that was never counted.
ANALYZE {table} ({columns})

-- name: patience
-- Do not wait long for a lock, since whoever comes later waits behind it.
SELECT set_config('lock_timeout', %s, true)

-- name: hold
-- Keep a table from being folded further, but not from being read.
LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE

-- name: hide
-- Take the view away, in the transaction that makes it anew.
DROP VIEW IF EXISTS {view}

-- name: wall
-- Let readers see only rows of the projects that they ask for, if the table has rows of projects.
SELECT ledger.wall(%(table)s::regclass)
WHERE EXISTS (SELECT FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attname = 'project' AND NOT attisdropped)

-- name: show
-- Point the view at a table. Who asks it is held to his own rights, not to those of its owner.
CREATE VIEW {view} WITH (security_invoker = true) AS TABLE {table}

-- name: live
-- Remember which table the view shows.
INSERT INTO projections.live (name, version, application_name) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, application_name = excluded.application_name

-- name: shown
-- The version and the table that readers see.
SELECT version, application_name FROM projections.live WHERE name = %s

-- name: head
-- The position of the last event of the log.
SELECT position FROM ledger.head
