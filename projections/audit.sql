-- name: actions
-- What somebody did, by what was recorded under a name, a credential or a topic, in order; the events themselves come from the log.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM projections.job_revisions r
JOIN ledger.stored_events e ON e.notification_id = r.position
WHERE r.project = %(project)s AND r.position > greatest(%(after)s, {begun}) AND r.position <= least(%(until)s, {ended})
  AND (%(actor)s::text IS NULL OR r.actor = %(actor)s)
  AND (%(credential_id)s::text IS NULL OR r.credential_id = %(credential_id)s)
  AND (%(event)s::text IS NULL OR r.topic = %(event)s)
ORDER BY r.position LIMIT %(limit)s

-- name: canceled
-- The same of cancellations alone, which have an index of their own.
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.event_id, e.project, e.occurred_at,
       e.recorded_at, e.credential_id
FROM projections.job_revisions r
JOIN ledger.stored_events e ON e.notification_id = r.position
WHERE r.project = %(project)s AND r.topic = 'job.canceled' AND r.position > greatest(%(after)s, {begun}) AND r.position <= least(%(until)s, {ended})
  AND (%(actor)s::text IS NULL OR r.actor = %(actor)s)
  AND (%(credential_id)s::text IS NULL OR r.credential_id = %(credential_id)s)
ORDER BY r.position LIMIT %(limit)s

-- name: begun
-- The last position before a time; the end where that time has not come.
CASE WHEN %(from)s::timestamptz IS NULL THEN 0
     ELSE coalesce((SELECT ledger.position_at(%(project)s, %(from)s::timestamptz - interval '1 microsecond')), %(until)s) END

-- name: ended
-- The last position up to a time; the end where the time has not passed.
coalesce((SELECT ledger.position_at(%(project)s, %(to)s::timestamptz) WHERE %(to)s::timestamptz IS NOT NULL), %(until)s)

-- name: stays
-- The stays in a state that began up to one position and were in effect behind another, in order. What ended behind %(until)s had not ended.
WITH bound AS MATERIALIZED (SELECT least(%(until)s, {in_effect}) AS in_effect, least(%(until)s, {begun_by}) AS begun_by)
SELECT s.position, s.job_id, j.number, j.type, j.object, j.owner, s.state, s.kind, s.final, s.at, s.recorded_at, s.actor, s.note,
       CASE WHEN s.left_position <= %(until)s THEN s.left_position END AS left_position,
       CASE WHEN s.left_position <= %(until)s THEN s.left_at END AS left_at
FROM bound b
CROSS JOIN LATERAL (
  SELECT stay.* FROM (SELECT generate_series(0, 53) UNION ALL SELECT 63) k (k)
  CROSS JOIN LATERAL (
    SELECT t.* FROM projections.job_states t
    WHERE t.project = %(project)s AND t.state = %(state)s AND t.lasting = k.k
      AND t.position > greatest(%(after)s, CASE WHEN k.k < 63 THEN b.in_effect - (2::bigint << k.k) ELSE 0 END)
      AND t.position <= b.begun_by AND (t.left_position IS NULL OR t.left_position > b.in_effect)
    ORDER BY t.position LIMIT %(limit)s
  ) stay
  ORDER BY stay.position LIMIT %(limit)s
) s
JOIN projections.jobs j ON j.id = s.job_id
ORDER BY s.position

-- name: durations
-- How long jobs of each type stayed in each state: stays that began in a span of time, and how many of them have ended. Where what is claimed runs
-- backwards, a stay took no time; where a time is not known, it is none of those that percentiles are of.
WITH bound AS MATERIALIZED (SELECT {begun} AS begun, least(%(until)s, {ended}) AS ended), stay AS MATERIALIZED (
  SELECT j.type, t.state, t.left_position <= %(until)s AS over, CASE WHEN t.left_at > t.at THEN extract(epoch FROM t.left_at - t.at)::float8 WHEN t.left_at <= t.at THEN 0 END AS lasted_s
  FROM bound b CROSS JOIN unnest(%(states)s::text[]) asked (state) CROSS JOIN (SELECT generate_series(0, 53) UNION ALL SELECT 63) k (k)
  JOIN projections.job_states t ON t.project = %(project)s AND t.state = asked.state AND t.lasting = k.k
    AND t.position > b.begun AND t.position <= b.ended
  JOIN projections.jobs j ON j.id = t.job_id AND (%(type)s::text IS NULL OR j.type = %(type)s)
  LIMIT %(limit)s
)
SELECT s.type, s.state, count(*) AS stays, count(*) FILTER (WHERE s.over) AS ended,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY s.lasted_s) FILTER (WHERE s.over) AS p50_s,
       percentile_disc(0.9) WITHIN GROUP (ORDER BY s.lasted_s) FILTER (WHERE s.over) AS p90_s,
       percentile_disc(0.99) WITHIN GROUP (ORDER BY s.lasted_s) FILTER (WHERE s.over) AS p99_s,
       max(s.lasted_s) FILTER (WHERE s.over) AS max_s
FROM stay s GROUP BY s.type, s.state ORDER BY s.type, s.state

-- name: refusals
-- Commands that were refused, in order, with how many there were in their hour.
SELECT r.nth, r.at, r.actor, r.credential_id, r.request_id, r.operation, r.job, r.code, r.reason, h.refused AS refused_in_hour
FROM ledger.refusals r
JOIN ledger.refused_hours h ON h.project = r.project AND h.hour = r.hour
WHERE r.project = %(project)s AND r.nth > %(after)s
  AND (%(actor)s::text IS NULL OR r.actor = %(actor)s)
  AND (%(credential_id)s::text IS NULL OR r.credential_id = %(credential_id)s)
  AND (%(code)s::text IS NULL OR r.code = %(code)s)
  AND (%(from)s::timestamptz IS NULL OR r.at >= %(from)s) AND (%(to)s::timestamptz IS NULL OR r.at <= %(to)s)
ORDER BY r.nth LIMIT %(limit)s
