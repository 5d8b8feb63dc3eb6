-- name: see
-- Be behind the wall, as the API's questions are.
SELECT set_config('ledger.projects', %s, false)

-- name: middle
-- How one job is called, somewhere in the middle.
SELECT object, owner, request_id, number, source_id, id FROM projections.jobs
WHERE project = %(project)s AND object IS NOT NULL AND request_id IS NOT NULL
ORDER BY created_at, number OFFSET (SELECT count(*) / 8 FROM projections.jobs WHERE project = %(project)s) LIMIT 1

-- name: times
-- Bounds of time: near the beginning, the middle and the end.
SELECT percentile_disc(0.001) WITHIN GROUP (ORDER BY created_at), percentile_disc(0.5) WITHIN GROUP (ORDER BY created_at),
       percentile_disc(0.999) WITHIN GROUP (ORDER BY created_at)
FROM projections.jobs WHERE project = %(project)s
UNION ALL
SELECT percentile_disc(0.001) WITHIN GROUP (ORDER BY updated_at), percentile_disc(0.5) WITHIN GROUP (ORDER BY updated_at),
       percentile_disc(0.999) WITHIN GROUP (ORDER BY updated_at)
FROM projections.jobs WHERE project = %(project)s
