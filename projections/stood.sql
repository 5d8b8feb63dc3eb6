-- name: stood
-- The row of jobs that a job had at one of its versions, of which `r` says what its revision does: the row of now where that is its last. Of any other,
-- what never changes is as now, and the history is how that of now begins: of most jobs that tells the rest, and no event is read.
(
  SELECT n.id, n.number, n.project, n.type, n.command, n.object, n.owner, n.request_id, n.source_id, n.description, n.detail, n.state, n.kind,
         n.final, n.version, n.position, n.attempts, n.progress, n.error_count, n.messages, n.items_total, n.items_succeeded, n.items_failed,
         n.created_at, n.updated_at, n.started_at, n.ended_at, n.ended_by, n.history, n.outcome, n.phase
  FROM projections.jobs n WHERE n.id = r.id AND r.settled
  UNION ALL
  SELECT n.id, n.number, n.project, n.type, n.command, n.object, n.owner, n.request_id, n.source_id, n.description, n.detail, {state},
         CASE WHEN {state} = 'Failed' THEN last.stay ->> 'kind' END, {ended} AND {state} = 'Failed', r.version, r.position, begun.attempts,
         coalesce(told.progress, CASE r.outcome WHEN 'Succeeded' THEN 1 ELSE 0 END), coalesce(told.error_count, 0), coalesce(told.messages, '[]'),
         told.items_total, coalesce(told.items_succeeded, 0), coalesce(told.items_failed, 0), n.created_at, r.updated_at,
         CASE WHEN begun.attempts > 0 THEN substring(begun.history FROM '"state":"Processing","at":"([^"]+)"')::timestamptz END,
         CASE WHEN {ended} THEN (last.stay ->> 'at')::timestamptz END, CASE WHEN {ended} THEN last.stay ->> 'actor' END,
         begun.history, r.outcome, {phase}
  FROM projections.jobs n
  CROSS JOIN LATERAL (
    -- Quotes are escaped within words, so that none of them looks like the beginning of a stay, or like a state.
    SELECT string_agg(s.stay, ',{{"position":') AS history, count(*) AS stays,
           count(*) FILTER (WHERE s.stay LIKE '%%"state":"Processing",%%') AS attempts, (array_agg(s.stay))[count(*)] AS last
    FROM (SELECT unnest(string_to_array(n.history, ',{{"position":')) AS stay) s
    WHERE split_part(ltrim(s.stay, '{{"position:'), ',', 1)::bigint <= r.position OFFSET 0
  ) begun
  CROSS JOIN LATERAL (SELECT ('{{"state":"' || split_part(begun.last, '"state":"', 2))::json AS stay) last
  CROSS JOIN LATERAL (
    SELECT (array_agg(e.progress) FILTER (WHERE e.progress IS NOT NULL))[count(e.progress)] AS progress,
           (array_agg(e.error_count) FILTER (WHERE e.error_count IS NOT NULL))[count(e.error_count)] AS error_count,
           (array_agg(e.items_total) FILTER (WHERE e.items_total IS NOT NULL))[count(e.items_total)] AS items_total,
           (array_agg(e.items_succeeded) FILTER (WHERE e.items_succeeded IS NOT NULL))[count(e.items_succeeded)] AS items_succeeded,
           (array_agg(e.items_failed) FILTER (WHERE e.items_failed IS NOT NULL))[count(e.items_failed)] AS items_failed,
           jsonb_path_query_array(jsonb_agg(e.messages), '$[*][*]') AS messages
    FROM ({told}) e
    WHERE begun.stays <> r.version OR r.failures > 0 OR n.messages <> '[]'
  ) told
  WHERE n.id = r.id AND NOT r.settled
  OFFSET 0
)

-- name: ended
-- Whether a job has come to its end.
r.outcome NOT IN ('Created', 'Queued', 'Processing', 'Retrying')

-- name: told
-- What the events of a job set beside its state, until one of its versions; null where they leave it as it is. As in the fold of jobs.
SELECT s.originator_version AS version, coalesce(b.event -> 'messages', '[]') AS messages,
       CASE s.topic WHEN 'job.created' THEN 0.0 WHEN 'job.started' THEN 0.0 WHEN 'job.succeeded' THEN 1.0
                    WHEN 'job.failed' THEN CASE WHEN b.event ->> 'kind' = 'item_errors' AND coalesce((b.event ->> 'final')::boolean, true) THEN 1.0 END
                    WHEN 'job.progressed' THEN (b.event ->> 'progress')::float8
                    WHEN 'job.items_reported' THEN CASE WHEN i.total > 0 THEN least(1.0, (i.succeeded + i.failed)::float8 / i.total) END
       END AS progress,
       CASE s.topic WHEN 'job.failed' THEN (b.event ->> 'error_count')::bigint
                    WHEN 'job.items_reported' THEN coalesce((b.event ->> 'error_count')::bigint, i.failed)
       END AS error_count,
       i.total AS items_total, i.succeeded AS items_succeeded, i.failed AS items_failed
FROM ledger.stored_events s
CROSS JOIN LATERAL (SELECT {s_body} -> 'event' AS event OFFSET 0) b
CROSS JOIN LATERAL (
  SELECT CASE WHEN s.topic = 'job.items_reported' THEN (b.event ->> 'total')::bigint END AS total,
         CASE WHEN s.topic = 'job.items_reported' THEN coalesce((b.event ->> 'succeeded')::bigint, 0) END AS succeeded,
         CASE WHEN s.topic = 'job.items_reported' THEN coalesce((b.event ->> 'failed')::bigint, 0) END AS failed
) i
WHERE s.originator_id = n.id AND s.originator_version <= r.version ORDER BY s.originator_version
