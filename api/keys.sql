-- name: create
-- Issue a key and write down who did, and why; its times are the database's.
WITH issued AS (
  INSERT INTO access.keys (key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, expires_at)
  VALUES (%(key_id)s, %(project)s, %(name)s, %(scopes)s, %(key_hash)s, %(sealed_secret)s, %(signature)s, %(public_key)s,
          %(replaces)s, clock_timestamp() + %(expires_in)s::interval)
  RETURNING *
), told AS (
  INSERT INTO access.acts (act, key_id, project, actor, reason)
  SELECT CASE WHEN replaces IS NULL THEN 'created' ELSE 'rotated' END, key_id, project, %(actor)s, %(reason)s FROM issued
)
SELECT key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, created_at, expires_at, revoked_at
FROM issued

-- name: listed
-- All keys, or those of one project.
SELECT key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, created_at, expires_at, revoked_at
FROM access.keys WHERE project = %(project)s OR %(project)s::text IS NULL
ORDER BY project, created_at, key_id

-- name: revoke
-- End a key; the first revocation stands, and only it is written down.
WITH ended AS (
  UPDATE access.keys SET revoked_at = clock_timestamp() WHERE key_id = %(key_id)s AND revoked_at IS NULL RETURNING *
), told AS (
  INSERT INTO access.acts (act, key_id, project, actor, reason)
  SELECT 'revoked', key_id, project, %(actor)s, %(reason)s FROM ended
)
SELECT key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, created_at, expires_at, revoked_at
FROM ended
UNION ALL
SELECT key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, created_at, expires_at, revoked_at
FROM access.keys WHERE key_id = %(key_id)s AND NOT EXISTS (SELECT FROM ended)

-- name: retire
-- Let a key that was replaced end after a while, or when it would have ended anyway.
UPDATE access.keys SET expires_at = least(expires_at, clock_timestamp() + %(overlap)s::interval) WHERE key_id = %(key_id)s

-- name: successors
-- Good keys that were issued to take over from this one.
SELECT key_id FROM access.keys
WHERE replaces = %(key_id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())

-- name: hold
-- One key, held so that two rotations of it come one after the other.
SELECT key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, created_at, expires_at, revoked_at
FROM access.keys WHERE key_id = %(key_id)s FOR UPDATE

-- name: find
-- One key by its id: what every authentication that is not cached asks.
SELECT key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, created_at, expires_at, revoked_at
FROM access.key(%(key_id)s)

-- name: acts
-- What was done to keys, the newest first.
SELECT at, act, key_id, project, actor, reason FROM access.acts
WHERE project = %(project)s OR %(project)s::text IS NULL ORDER BY nth DESC LIMIT %(limit)s

-- name: nonce
-- Whether a signed request's nonce is new to all processes.
SELECT access.take_nonce(%s, %s, %s::interval)

-- name: any_issued
-- Whether any key was ever issued: then a missing secret is a loss and not a beginning.
SELECT EXISTS (SELECT FROM access.keys)
