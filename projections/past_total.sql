-- name: births
-- The project when its last job until then was created.
SELECT c.* FROM projections.job_revisions c
WHERE c.project = %(project)s AND c.jobs IS NOT NULL AND c.position <= %(position)s ORDER BY c.position DESC LIMIT 1

-- name: people
-- How many jobs the project had.
(SELECT coalesce(max(b.jobs), 0) FROM ({births}) b)

-- name: tallied
-- How many jobs there were of each kind: where the last stretch of positions ended, and what became of those that changed since.
SELECT c.type, c.command, c.state, sum(c.jobs)::bigint AS jobs
FROM (
  SELECT k.type, k.command, k.state, t.jobs
  FROM projections.job_counts k
  CROSS JOIN LATERAL (
    SELECT t.jobs FROM projections.job_counts t
    WHERE t.project = k.project AND t.type = k.type AND t.command = k.command AND t.state = k.state AND t.span_s = 0 AND t.upto <= %(stood)s
    ORDER BY t.upto DESC LIMIT 1
  ) t
  WHERE k.project = %(project)s AND k.upto = 9223372036854775807
  UNION ALL
  SELECT j.type, coalesce(j.command, ''), s.state, s.jobs
  FROM (
    SELECT DISTINCT e.originator_id FROM ledger.stored_events e
    WHERE e.project = %(project)s AND e.notification_id > %(stood)s AND e.notification_id <= %(position)s
  ) e
  CROSS JOIN LATERAL (SELECT one.type, one.command FROM projections.jobs one WHERE one.id = e.originator_id OFFSET 0) j
  CROSS JOIN LATERAL (
    SELECT t.state, coalesce(t.left_position > %(position)s, true)::integer - (t.position <= %(stood)s)::integer AS jobs
    FROM projections.job_states t
    WHERE t.job_id = e.originator_id AND t.position <= %(position)s AND coalesce(t.left_position > %(stood)s, true) OFFSET 0
  ) s
) c
GROUP BY 1, 2, 3

-- name: kinds
-- A total from the counts.
(SELECT coalesce(sum(j.jobs), 0)::bigint FROM ({tallied}) j WHERE {conditions})

-- name: range
-- Behind a range of creation times, by what `past_total.py` shows: how many were created up to its end, less those before it; counted where one is
-- not known. OFFSET 0 keeps each from being asked twice.
coalesce((
  SELECT CASE WHEN count(u.jobs) = count(*) THEN greatest(sum(u.sign * u.jobs), 0)::bigint END
  FROM (
    SELECT a.sign, CASE WHEN p.jobs = 0 OR p.created_to <= a.upto THEN p.jobs WHEN p.created_from > a.upto THEN 0 ELSE (
      SELECT o.jobs
      FROM (
        SELECT one.id FROM projections.jobs one WHERE one.project = %(project)s AND one.created_at <= a.upto
        ORDER BY one.created_at DESC, one.number DESC LIMIT 1
      ) j
      CROSS JOIN LATERAL (
        SELECT c.jobs, c.created_to FROM projections.job_revisions c WHERE c.job_id = j.id ORDER BY c.position LIMIT 1
      ) o
      WHERE o.created_to <= a.upto AND o.jobs = (
        SELECT coalesce(sum(k.jobs), 0)::bigint
        FROM unnest(%(span_bound)s::bigint[], %(span_s)s::integer[], %(span_after)s::bigint[], %(span_upto)s::bigint[]) s (bound, span_s, after, upto)
        CROSS JOIN LATERAL (
          SELECT * FROM projections.job_counts one
          WHERE one.project = %(project)s AND one.type = '' AND one.command = '' AND one.state = '' AND one.span_s = s.span_s
            AND one.upto > s.after AND one.upto <= s.upto OFFSET 0
        ) k
        WHERE s.bound = a.nth
      ) + (
        SELECT count(*) FROM projections.jobs e WHERE e.project = %(project)s AND e.created_at >= a.since AND e.created_at <= a.upto
      )
    ) END AS jobs
    FROM unnest(%(bound_sign)s::integer[], %(bound_since)s::timestamptz[], %(bound_upto)s::timestamptz[]) WITH ORDINALITY a (sign, since, upto, nth)
    CROSS JOIN (
      SELECT coalesce(max(b.jobs), 0) AS jobs, max(b.created_from) AS created_from, max(b.created_to) AS created_to FROM ({births}) b
    ) p OFFSET 0
  ) u
), {rows})

-- name: rows
-- How many jobs of one kind there are that nobody keeps a number of.
(SELECT count(*) FROM {jobs} WHERE {conditions})
