-- name: total
-- A total from the counters, as by kinds, and which of the clauses leaves the fewest jobs.
(SELECT CASE WHEN reached.job_counts = reached.jobs OR c.jobs > %(exactly)s THEN c.jobs
             ELSE (SELECT count(*) FROM ({rows}) j) END AS jobs, c.fewest
 FROM (
  SELECT n.jobs, array_position(ARRAY[{each}], least({each})) AS fewest
  FROM (
    SELECT {count} AS jobs{counts} FROM projections.job_counts j
    WHERE j.project = %(project)s AND j.span_s = 0 AND j.span_upto = 0 AND j.latest
  ) n
  OFFSET 0
 ) c)

-- name: count
-- How many jobs are in these states, of the kinds that meet this.
coalesce(sum({counted}) FILTER (WHERE {met}), 0)::bigint

-- name: rows
-- The jobs that a walk finds.
SELECT FROM projections.jobs j WHERE {conditions}
