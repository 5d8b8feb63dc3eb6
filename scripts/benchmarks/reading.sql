-- name: begins
-- Jobs from all over the table, as pages begin behind them.
SELECT created_at, updated_at, number FROM projections.jobs WHERE project = %s AND number %% %s = %s LIMIT %s
