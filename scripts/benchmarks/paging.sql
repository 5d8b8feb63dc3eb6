-- name: cursor
-- Where the page behind so many jobs begins, newest first.
SELECT created_at, number FROM projections.jobs WHERE project = %s ORDER BY created_at DESC, number DESC OFFSET %s LIMIT 1

-- name: plain
-- A page deep in a list, as a program asks for it that knows no better.
SELECT j.* FROM projections.jobs j WHERE j.project = %(project)s ORDER BY j.created_at DESC, j.number DESC LIMIT %(limit)s OFFSET %(offset)s

-- name: plain_state
-- The same of one state.
SELECT j.* FROM projections.jobs j WHERE j.project = %(project)s AND j.state = 'Succeeded'
ORDER BY j.created_at DESC, j.number DESC LIMIT %(limit)s OFFSET %(offset)s
