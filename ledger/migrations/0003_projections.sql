-- A place for read models. Their tables are made and dropped by the projections themselves, never by a migration.

CREATE SCHEMA projections;
GRANT USAGE, CREATE ON SCHEMA projections TO jobledger_projector;
GRANT USAGE ON SCHEMA projections TO jobledger_app;
ALTER DEFAULT PRIVILEGES FOR ROLE jobledger_projector IN SCHEMA projections GRANT SELECT ON TABLES TO jobledger_app;
