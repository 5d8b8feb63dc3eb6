-- Where each read model stands. These few rows belong to the projector, and readers may see them.

SET LOCAL ROLE jobledger_projector;

-- The library's names: application_name is the read model's table, such as jobs_v1, notification_id the position it has reached.
CREATE TABLE projections.notification_tracking (
  application_name text COLLATE "C" PRIMARY KEY,
  notification_id bigint NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE projections.live (
  name text COLLATE "C" PRIMARY KEY,
  version integer NOT NULL,
  application_name text COLLATE "C" NOT NULL
);
COMMENT ON TABLE projections.live IS 'Which table the view of a projection shows, since a new version is built beside the old one.';

CREATE TABLE projections.stopped (
  name text COLLATE "C" PRIMARY KEY,
  position bigint NOT NULL,
  error text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE projections.stopped IS 'Read models that met an event they cannot fold: the position of that event, and why. They stand just before it.';

CREATE VIEW projections.reached AS
SELECT l.name, l.version, t.notification_id AS position, s.position AS stopped_at, s.error
FROM projections.live l
JOIN projections.notification_tracking t ON t.application_name = l.application_name
LEFT JOIN projections.stopped s ON s.name = l.application_name;
COMMENT ON VIEW projections.reached IS 'The position of each projection that readers see.';

RESET ROLE;
