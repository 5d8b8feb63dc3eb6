-- name: create
-- Issue a key; its times are the database's.
INSERT INTO access.keys (key_id, project, name, scopes, key_hash, sealed_secret, expires_at)
VALUES (%(key_id)s, %(project)s, %(name)s, %(scopes)s, %(key_hash)s, %(sealed_secret)s,
        clock_timestamp() + %(expires_in)s::interval)
RETURNING key_id, project, name, scopes, key_hash, sealed_secret, created_at, expires_at, revoked_at

-- name: listed
-- All keys, or those of one project.
SELECT key_id, project, name, scopes, key_hash, sealed_secret, created_at, expires_at, revoked_at
FROM access.keys WHERE project = %(project)s OR %(project)s::text IS NULL
ORDER BY project, created_at, key_id

-- name: revoke
-- End a key; the first revocation stands.
UPDATE access.keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE key_id = %(key_id)s
RETURNING key_id, project, name, scopes, key_hash, sealed_secret, created_at, expires_at, revoked_at

-- name: find
-- One key by its id: what every authentication that is not cached asks.
SELECT key_id, project, name, scopes, key_hash, sealed_secret, created_at, expires_at, revoked_at
FROM access.key(%(key_id)s)

-- name: any_issued
-- Whether any key was ever issued: then a missing secret is a loss and not a beginning.
SELECT EXISTS (SELECT FROM access.keys)
