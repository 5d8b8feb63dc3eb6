-- Folds are functions of their session, and an erasure keeps what it is at in a table of its own: both are made where temporary things are.

-- Everybody may make them, unless an operator took that away from PUBLIC.
DO $$
BEGIN
  EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO jobledger_projector, jobledger_log', current_database());
END $$;
