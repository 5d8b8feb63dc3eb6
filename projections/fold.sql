-- name: function
-- Fold a table from one position, $1, up to another, $2, or the end of the log, and answer how far it is then. $3: how many positions a stretch of
-- counts has; $4: whether to tell who listens.
CREATE OR REPLACE FUNCTION {function}(bigint, bigint, bigint, boolean) RETURNS bigint LANGUAGE plpgsql AS $folding$
#variable_conflict use_column
DECLARE
  taken bigint;
BEGIN
  SELECT least($2, position) FROM ledger.head INTO $2;
  IF $2 <= $1 THEN
    RETURN $1;
  END IF;
  {fold} INTO taken;
  IF taken <> $2 - $1 THEN
    RAISE data_exception USING MESSAGE = format('the fold took %s of %s events: one has a topic or a shape that it does not know', taken, $2 - $1);
  END IF;
  -- Values that were erased among these events.
  IF EXISTS (SELECT FROM ledger.stored_events WHERE topic = 'job.erased' AND notification_id > $1 AND notification_id <= $2) THEN
    {erase};
  END IF;
  -- Last, since whoever swaps tables holds the table first and then its position.
  UPDATE projections.notification_tracking SET notification_id = $2 WHERE application_name = {tracked} AND notification_id = $1;
  IF NOT FOUND THEN
    RAISE object_not_in_prerequisite_state USING MESSAGE = format('%s does not stand at %s.', {tracked}, $1);
  END IF;
  IF $4 THEN
    PERFORM pg_notify({channel}, {name} || ' ' || $2);
  END IF;
  RETURN $2;
END $folding$
