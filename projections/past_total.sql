-- name: births
-- The project when its last job until then was created.
SELECT c.* FROM projections.job_revisions c
WHERE c.project = %(project)s AND c.jobs IS NOT NULL AND c.position <= %(position)s ORDER BY c.position DESC LIMIT 1

-- name: people
-- How many jobs the project had.
(SELECT coalesce(max(b.jobs), 0) FROM ({births}) b)

-- name: stood
-- Of counts that now are those of `one`: how many there were where the last stretch of positions ended.
(SELECT one.* WHERE one.upto <= %(stood)s
 UNION ALL (
   SELECT t.* FROM projections.job_counts t
   WHERE one.upto > %(stood)s AND t.project = one.project AND t.span_s = one.span_s AND t.span_upto = one.span_upto AND t.type = one.type
     AND t.command = one.command AND t.upto <= %(stood)s
   ORDER BY t.upto DESC LIMIT 1))

-- name: changed
-- What has become since of the jobs to which something happened: how many more are in each state, or fewer.
(SELECT j.type, coalesce(j.command, '') AS command, j.created_at, s.state, s.jobs
 FROM (
   SELECT DISTINCT e.originator_id FROM ledger.stored_events e
   WHERE e.project = %(project)s AND e.notification_id > %(stood)s AND e.notification_id <= %(position)s
 ) e
 CROSS JOIN LATERAL (SELECT one.type, one.command, one.created_at FROM projections.jobs one WHERE one.id = e.originator_id OFFSET 0) j
 CROSS JOIN LATERAL (
   SELECT t.state, coalesce(t.left_position > %(position)s, true)::integer - (t.position <= %(stood)s)::integer AS jobs
   FROM projections.job_states t
   WHERE t.job_id = e.originator_id AND t.position <= %(position)s AND coalesce(t.left_position > %(stood)s, true) OFFSET 0
 ) s)

-- name: tallied
-- How many jobs there were of each kind: where the last stretch of positions ended, and what became of those that changed since.
SELECT c.type, c.command, c.state, sum(c.jobs)::bigint AS jobs
FROM (
  SELECT k.type, k.command, n.state, n.jobs
  FROM projections.job_counts one CROSS JOIN LATERAL {stood} k CROSS JOIN LATERAL {states}
  WHERE one.project = %(project)s AND one.span_s = 0 AND one.span_upto = 0 AND one.latest
  UNION ALL
  SELECT c.type, c.command, c.state, c.jobs FROM {changed} c
) c
GROUP BY 1, 2, 3

-- name: kinds
-- A total from the counts.
(SELECT coalesce(sum(j.jobs), 0)::bigint FROM ({tallied}) j WHERE {conditions})

-- name: spans
-- The same behind a range of creation times: what its spans held, each by a walk of its own (OFFSET 0), what became of those that changed since, and
-- what is added or taken away at its ends.
(SELECT (
   SELECT coalesce(sum(c.jobs), 0)::bigint
   FROM (
     SELECT n.state, n.jobs
     FROM (
       SELECT sum(k.created) AS created, sum(k.queued) AS queued, sum(k.processing) AS processing, sum(k.succeeded) AS succeeded,
              sum(k.failed) AS failed, sum(k.canceled) AS canceled
       FROM unnest(%(span_s)s::integer[], %(span_after)s::bigint[], %(span_upto)s::bigint[]) s (span_s, after, upto)
       CROSS JOIN LATERAL (
         SELECT * FROM projections.job_counts one
         WHERE one.project = %(project)s AND one.span_s = s.span_s AND one.span_upto > s.after AND one.span_upto <= s.upto AND one.latest OFFSET 0
       ) one
       CROSS JOIN LATERAL {stood} k
     ) k
     CROSS JOIN LATERAL {states}
     UNION ALL
     SELECT c.state, c.jobs FROM {changed} c WHERE c.created_at >= %(spans_since)s AND c.created_at <= %(spans_until)s
   ) c
   WHERE c.state = ANY(%(span_states)s::text[])
 ) + (
   SELECT coalesce(sum(e.sign * m.jobs), 0)::bigint
   FROM unnest(%(end_sign)s::integer[], %(end_since)s::timestamptz[], %(end_until)s::timestamptz[]) e (sign, since, until)
   CROSS JOIN LATERAL (SELECT count(*) AS jobs FROM {rows} AND j.created_at >= e.since AND j.created_at <= e.until) m
 ))

-- name: rows
-- How many jobs of one kind there are that nobody keeps a number of.
(SELECT count(*) FROM {rows})
