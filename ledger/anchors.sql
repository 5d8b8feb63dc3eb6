-- name: due
-- The checkpoints that a sink has not taken yet, in order, a few at a time.
SELECT c.epoch, c.size, c.note FROM proof.checkpoints c
LEFT JOIN proof.anchored a ON a.sink = %(sink)s
WHERE (c.epoch, c.size) > (coalesce(a.epoch, 0), coalesce(a.size, 0))
ORDER BY c.epoch, c.size LIMIT %(limit)s

-- name: taken
-- A sink has taken a checkpoint.
INSERT INTO proof.anchored (sink, epoch, size, at) VALUES (%s, %s, %s, clock_timestamp())
ON CONFLICT (sink) DO UPDATE SET epoch = excluded.epoch, size = excluded.size, at = excluded.at, error = NULL, failed_at = NULL

-- name: failed
-- A sink has not taken the next one.
INSERT INTO proof.anchored (sink, error, failed_at) VALUES (%s, %s, clock_timestamp())
ON CONFLICT (sink) DO UPDATE SET error = excluded.error, failed_at = excluded.failed_at

-- name: shown
-- What each sink took last.
SELECT sink, epoch, size, at, error FROM proof.anchored ORDER BY sink
