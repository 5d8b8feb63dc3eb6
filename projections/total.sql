-- name: states
-- A row of counts as a row for each state.
(VALUES ('Created' COLLATE "C", k.created), ('Queued', k.queued), ('Processing', k.processing), ('Succeeded', k.succeeded), ('Failed', k.failed),
        ('Canceled', k.canceled)) n (state, jobs)

-- name: untold
-- No total.
(SELECT NULL::bigint AS jobs)

-- name: kinds
-- A total from the counters, when they stand where the jobs do, or would be much dearer to take anew; else from the jobs.
(SELECT CASE WHEN reached.job_counts = reached.jobs OR c.jobs > %(exactly)s THEN c.jobs
             ELSE (SELECT count(*) FROM projections.jobs j WHERE {conditions}) END AS jobs
 FROM (
  SELECT coalesce(sum({counted}), 0)::bigint AS jobs FROM projections.job_counts j
  WHERE {others} AND j.span_s = 0 AND j.span_upto = 0 AND j.latest
 ) c)

-- name: spans
-- The same behind a range of creation times: what its spans hold, each by a walk of its own (OFFSET 0), and what is added or taken away at its ends.
(SELECT CASE WHEN reached.job_counts = reached.jobs OR c.jobs > %(exactly)s THEN c.jobs
             ELSE (SELECT count(*) FROM projections.jobs j WHERE {conditions}) END AS jobs
 FROM (
  SELECT (
    SELECT coalesce(sum(n.jobs), 0)::bigint
    FROM (
      SELECT sum(k.created) AS created, sum(k.queued) AS queued, sum(k.processing) AS processing, sum(k.succeeded) AS succeeded,
             sum(k.failed) AS failed, sum(k.canceled) AS canceled
      FROM unnest(%(span_s)s::integer[], %(span_after)s::bigint[], %(span_upto)s::bigint[]) s (span_s, after, upto)
      CROSS JOIN LATERAL (
        SELECT * FROM projections.job_counts one
        WHERE one.project = %(project)s AND one.span_s = s.span_s AND one.span_upto > s.after AND one.span_upto <= s.upto AND one.latest OFFSET 0
      ) k
    ) k
    CROSS JOIN LATERAL {states}
    WHERE n.state = ANY(%(span_states)s::text[])
  ) + (
    SELECT coalesce(sum(e.sign * m.jobs), 0)::bigint
    FROM unnest(%(end_sign)s::integer[], %(end_since)s::timestamptz[], %(end_until)s::timestamptz[]) e (sign, since, until)
    CROSS JOIN LATERAL (
      SELECT count(*) AS jobs FROM projections.jobs j WHERE {others} AND j.created_at >= e.since AND j.created_at <= e.until
    ) m
  ) AS jobs OFFSET 0
 ) c)

-- name: rows
-- A total that nobody keeps.
(SELECT count(*) AS jobs FROM projections.jobs j WHERE {conditions})
