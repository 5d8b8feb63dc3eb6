-- name: state
-- What is refused, after how many seconds callers should come back, and since when.
SELECT refused, retry_after_s, since FROM ledger.maintenance

-- name: switch
-- Refuse other things from now on. What is so already keeps its beginning.
UPDATE ledger.maintenance
SET since = CASE WHEN refused = %(refused)s THEN since ELSE clock_timestamp() END, refused = %(refused)s, retry_after_s = %(retry_after_s)s
RETURNING refused, retry_after_s, since
