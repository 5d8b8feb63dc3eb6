-- name: settings
-- Server settings that decide whether an answered append is kept, and how texts are stored.
SELECT name, setting FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'server_encoding', 'data_checksums')

-- name: roles
-- What our roles are and may do beyond what they should: a row a role that exists.
SELECT r.rolname, r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb,
       has_table_privilege(r.oid, 'ledger.stored_events', 'UPDATE, DELETE, TRUNCATE'),
       pg_has_role(current_user, r.oid, 'MEMBER')
FROM pg_roles r WHERE r.rolname = ANY(%s)

-- name: guards
-- The triggers that refuse changes of what was recorded, where they are enabled for every session.
SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'ledger' AND t.tgname = 'append_only' AND t.tgenabled IN ('O', 'A')

-- name: head
-- The counter of the log, and the last event that is really there.
SELECT h.position, coalesce((SELECT max(e.notification_id) FROM ledger.stored_events e), 0) FROM ledger.head h

-- name: sealed
-- Every sealed secret, to see whether the ledger's secret is the one they were sealed under.
SELECT key_id, sealed_secret FROM access.keys WHERE sealed_secret IS NOT NULL AND revoked_at IS NULL

-- name: keys
-- How many keys are good, and how many were ever issued.
SELECT count(*) FILTER (WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())), count(*)
FROM access.keys
