-- name: whole
-- A job as row.py takes it apart, in the order of ledger.job.Job's fields; `j` is its row.
j.id, j.number, j.project, j.type, j.owner, j.created_at, j.updated_at, j.state, j.version, j.position, j.command, j.object, j.request_id,
j.source_id, j.description, j.detail::text AS detail, j.attempts, j.progress, j.error_count, j.messages::text AS messages, j.items_total,
j.items_succeeded, j.items_failed, j.kind, j.final, j.started_at, j.ended_at, j.ended_by, j.history

-- name: said
-- A job as the API's own JSON says it, field by field; a law holds the two together. Text is quoted as JSON has it, times are UTC.
concat(
  '{{"id":"', j.id, '","number":', j.number, ',"project":', to_json(j.project), ',"type":', to_json(j.type),
  ',"command":', coalesce(to_json(j.command)::text, 'null'), ',"object":', coalesce(to_json(j.object)::text, 'null'),
  ',"owner":', to_json(j.owner), ',"request_id":', coalesce(to_json(j.request_id)::text, 'null'),
  ',"source_id":', coalesce(to_json(j.source_id)::text, 'null'), ',"description":', coalesce(to_json(j.description)::text, 'null'),
  ',"detail":', coalesce(j.detail::text, 'null'), ',"state":"', j.state, '","failure":',
  CASE WHEN j.kind IS NULL THEN 'null' ELSE concat('{{"kind":"', j.kind, '","final":', j.final::text, '}}') END,
  ',"attempts":', j.attempts, ',"progress":',
  -- As the shortest number that is the same: 0.5, 0.00001, 1e-6.
  CASE WHEN j.progress = 0 THEN '0.0' WHEN j.progress = 1 THEN '1.0' WHEN j.progress < 1e-5 THEN replace(j.progress::text, 'e-0', 'e-')
       ELSE j.progress::text::numeric::text END,
  ',"error_count":', j.error_count, ',"messages":',
  CASE WHEN j.messages = '[]' THEN '[]' ELSE (
    SELECT concat('[', string_agg(concat('{{"code":', coalesce(m.one ->> 'code', '0'), ',"message":', (m.one -> 'message')::text, ',"description":',
                                         coalesce((m.one -> 'description')::text, 'null'), '}}'), ',' ORDER BY m.nth), ']')
    FROM jsonb_array_elements(j.messages) WITH ORDINALITY m (one, nth)) END,
  ',"items":{{"total":', coalesce(j.items_total::text, 'null'), ',"succeeded":', j.items_succeeded, ',"failed":', j.items_failed,
  '}},"created_at":', {created_at}, ',"updated_at":', {updated_at}, ',"started_at":', {started_at}, ',"ended_at":', {ended_at},
  ',"ended_by":', coalesce(to_json(j.ended_by)::text, 'null'), ',"version":', j.version, ',"position":', j.position,
  ',"history":[', j.history, ']}}'
)

-- name: moment
-- A time as JSON, without decimals where it is a whole second.
coalesce('"' || replace(to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || 'Z"', '.000000Z', 'Z'), 'null')
