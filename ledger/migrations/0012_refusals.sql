-- Refused commands: kept with reason and principal, beside the log and never in it, and bounded, since a refusal costs its caller nothing.

CREATE TABLE ledger.refusals (
  nth bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  project text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  actor text COLLATE "C" NOT NULL,
  credential_id text COLLATE "C" NOT NULL,
  request_id text NOT NULL,
  operation text COLLATE "C" NOT NULL,
  job text COLLATE "C",
  code text COLLATE "C" NOT NULL,
  reason text NOT NULL,
  -- How many of this project and hour there were when this one came; those beyond the bound are counted by its row and not kept.
  hour timestamptz NOT NULL,
  nth_of_hour integer NOT NULL
);
CREATE INDEX refusals_project ON ledger.refusals (project, nth);
CREATE INDEX refusals_actor ON ledger.refusals (project, actor, nth);
CREATE INDEX refusals_credential ON ledger.refusals (project, credential_id, nth);
CREATE TABLE ledger.refused_hours (
  project text COLLATE "C" NOT NULL,
  hour timestamptz NOT NULL,
  refused bigint NOT NULL,
  PRIMARY KEY (project, hour)
);
COMMENT ON TABLE ledger.refused_hours IS 'How many commands were refused in an hour, those included of which no more is kept.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.refusals
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- A batch is [[project, at, actor, credential, request, operation, job, code, reason], ...]; of one project and hour `most` are kept.
CREATE FUNCTION ledger.refused(batch jsonb, most integer) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH one AS MATERIALIZED (
    SELECT r ->> 0 AS project, (r ->> 1)::timestamptz AS at, r ->> 2 AS actor, r ->> 3 AS credential_id, r ->> 4 AS request_id,
           r ->> 5 AS operation, r ->> 6 AS job, r ->> 7 AS code, r ->> 8 AS reason, ord,
           date_trunc('hour', (r ->> 1)::timestamptz, 'UTC') AS hour
    FROM jsonb_array_elements(batch) WITH ORDINALITY t(r, ord)
  ), counted AS (
    INSERT INTO ledger.refused_hours AS h (project, hour, refused)
    SELECT project, hour, count(*) FROM one GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (project, hour) DO UPDATE SET refused = h.refused + excluded.refused
    RETURNING h.project, h.hour, h.refused
  )
  INSERT INTO ledger.refusals (project, at, actor, credential_id, request_id, operation, job, code, reason, hour, nth_of_hour)
  SELECT o.project, o.at, o.actor, o.credential_id, o.request_id, o.operation, o.job, o.code, o.reason, o.hour, o.nth
  FROM (
    SELECT one.*, c.refused - count(*) OVER (PARTITION BY one.project, one.hour)
                  + row_number() OVER (PARTITION BY one.project, one.hour ORDER BY one.ord) AS nth
    FROM one JOIN counted c ON c.project = one.project AND c.hour = one.hour
  ) o
  WHERE o.nth <= most ORDER BY o.ord;
END;
COMMENT ON FUNCTION ledger.refused IS 'Keep refused commands. The one way in: owned by jobledger_log, as ledger.append is.';

SELECT ledger.wall('ledger.refusals'), ledger.wall('ledger.refused_hours');
GRANT SELECT ON ledger.refusals, ledger.refused_hours TO jobledger_reader, jobledger_auditor, jobledger_app;
GRANT SELECT, INSERT ON ledger.refusals TO jobledger_log;
GRANT SELECT, INSERT, UPDATE ON ledger.refused_hours TO jobledger_log;
REVOKE EXECUTE ON FUNCTION ledger.refused FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.refused TO jobledger_app;
GRANT CREATE ON SCHEMA ledger TO jobledger_log;
ALTER FUNCTION ledger.refused OWNER TO jobledger_log;
REVOKE CREATE ON SCHEMA ledger FROM jobledger_log;
