-- name: append_all
-- One commit of many histories, all or nothing; see the function's own comment for the arrays and the answer.
SELECT ledger.append_all(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: numbers
-- Draw the next job numbers.
SELECT array_agg(nextval('ledger.job_numbers')) FROM generate_series(1, %s)
