-- name: mark
-- Leave a mark in the session.
SELECT set_config('ledger.session', %s, false)

-- name: seen
-- Who the session is, how many seconds its questions may take, and the mark in it.
SELECT current_user::text, extract(epoch FROM current_setting('statement_timeout')::interval)::float8, current_setting('ledger.session', true)
