-- name: lines
-- What holds in this database, a line each: schemas, tables, columns, constraints, indexes, triggers, rules, policies, functions, grants, operators.
WITH ours AS (
  SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname IN ('ledger', 'access', 'proof', 'projections')
), relation AS (
  SELECT c.*, n.nspname || '.' || c.relname AS name FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
), granted AS (
  SELECT 'schema ' || nspname AS thing, nspowner AS owner, nspacl AS acl, acldefault('n', nspowner) AS ordinary FROM ours
  UNION ALL
  SELECT 'relation ' || name, relowner, relacl, acldefault((CASE relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", relowner) FROM relation
  UNION ALL
  SELECT 'function ' || p.oid::regprocedure, p.proowner, p.proacl, acldefault('f', p.proowner)
  FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace
)
SELECT format('%s belongs to %s', thing, CASE WHEN owner = (SELECT nspowner FROM ours WHERE nspname = 'ledger') THEN 'the owner' ELSE owner::regrole::text END)
FROM granted
UNION ALL
SELECT format('%s: %s may %s%s', thing,
              CASE WHEN grantee = 0 THEN 'everybody' WHEN grantee = (SELECT nspowner FROM ours WHERE nspname = 'ledger') THEN 'the owner'
                   ELSE grantee::regrole::text END, privilege_type, CASE WHEN is_grantable THEN ' and grant it' ELSE '' END)
FROM granted, aclexplode(coalesce(acl, ordinary))
UNION ALL
SELECT format('relation %s is of kind %s, row security %s, forced %s, options %s', name, relkind, relrowsecurity, relforcerowsecurity, reloptions)
FROM relation
UNION ALL
SELECT format('column %s.%s is %s, not null %s, default %s, generated "%s"', r.name, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
              pg_get_expr(d.adbin, d.adrelid), a.attgenerated)
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT format('column %s.%s: %s may %s', r.name, a.attname, x.grantee::regrole, x.privilege_type)
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL, aclexplode(a.attacl) x
UNION ALL
SELECT format('constraint %s of %s: %s', k.conname, r.name, pg_get_constraintdef(k.oid))
FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
UNION ALL
SELECT format('index of %s: %s, valid %s', r.name, pg_get_indexdef(i.indexrelid), i.indisvalid)
FROM relation r JOIN pg_index i ON i.indrelid = r.oid
UNION ALL
SELECT format('trigger on %s: %s, enabled %s', r.name, pg_get_triggerdef(t.oid), t.tgenabled)
FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
UNION ALL
SELECT format('rule on %s: %s, enabled %s', r.name, pg_get_ruledef(u.oid), u.ev_enabled)
FROM relation r JOIN pg_rewrite u ON u.ev_class = r.oid
UNION ALL
SELECT format('policy %s on %s: for %s, permissive %s, to %s, using %s, check %s', p.polname, r.name, p.polcmd, p.polpermissive,
              (SELECT array_agg(who::regrole::text ORDER BY who::regrole::text) FROM unnest(p.polroles) who),
              pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT format('function %s', pg_get_functiondef(p.oid)) FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace WHERE p.prokind IN ('f', 'p')
UNION ALL
SELECT format('aggregate %s', p.oid::regprocedure) FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace WHERE p.prokind NOT IN ('f', 'p')
UNION ALL
SELECT format('operator %s', o.oid::regoperator) FROM pg_operator o JOIN ours n ON n.oid = o.oprnamespace
UNION ALL
SELECT format('event trigger %s on %s calls %s, enabled %s', evtname, evtevent, evtfoid::regproc, evtenabled) FROM pg_event_trigger
UNION ALL
SELECT format('function %s in %s, which is PostgreSQL''s own', p.proname, p.pronamespace::regnamespace) FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid >= 16384
UNION ALL
SELECT format('migration %s %s %s', number, name, checksum) FROM ledger.migrations

-- name: unguarded
-- Settings of this database or of roles that turn triggers and policies off.
SELECT coalesce(setrole::regrole::text, 'everybody'), option
FROM pg_db_role_setting, unnest(setconfig) option
WHERE (setdatabase = 0 OR setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND option ~ '^(session_replication_role|row_security)='

-- name: mighty
-- Roles of the ledger that could pass its walls.
SELECT rolname FROM pg_roles
WHERE rolname ~ '^jobledger_' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
