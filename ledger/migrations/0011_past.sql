-- The past: which position a time of record stands for.

-- See to it that nothing is recorded at or before a time that has passed, once it was asked about: not by a commit under way, for which this
-- waits, and not by a clock that steps back. Else the answer for that time could change.
CREATE FUNCTION ledger.settle(moment timestamptz) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF moment >= clock_timestamp() THEN
    RETURN false;
  END IF;
  IF moment >= (SELECT h.recorded_at FROM ledger.head h) THEN
    UPDATE ledger.head h SET recorded_at = moment + interval '1 microsecond' WHERE h.recorded_at <= moment;
  END IF;
  RETURN true;
END $$;
COMMENT ON FUNCTION ledger.settle IS 'Whether a time has passed; if so, nothing will be recorded at or before it any more.';
REVOKE EXECUTE ON FUNCTION ledger.settle FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.settle TO jobledger_reader, jobledger_auditor, jobledger_app;
GRANT CREATE ON SCHEMA ledger TO jobledger_log;
ALTER FUNCTION ledger.settle OWNER TO jobledger_log;
REVOKE CREATE ON SCHEMA ledger FROM jobledger_log;

CREATE FUNCTION ledger.position_at(of_project text, moment timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  low bigint := 0;
  high bigint;
  middle bigint;
  event record;
BEGIN
  IF NOT ledger.settle(moment) THEN
    RETURN NULL;
  END IF;
  SELECT h.position INTO STRICT high FROM ledger.head h;
  -- Times of record never run backwards, so that they can be searched by halves, among the project's own events alone.
  WHILE low < high LOOP
    middle := (low + high + 1) / 2;
    SELECT e.notification_id AS position, e.recorded_at INTO event
    FROM ledger.stored_events e
    WHERE e.project = of_project AND e.notification_id >= middle ORDER BY e.notification_id LIMIT 1;
    IF NOT FOUND OR event.recorded_at > moment THEN
      high := middle - 1;
    ELSE
      low := event.position;
    END IF;
  END LOOP;
  RETURN low;
END $$;
COMMENT ON FUNCTION ledger.position_at IS
  'The last position of a project recorded at or before a time; 0 when there is none, null when that time has not come.';
