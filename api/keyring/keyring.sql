-- name: issue
-- A new key of the manager's project.
SELECT key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, created_at, expires_at, revoked_at
FROM access.issue(%(by_key)s, %(by_hash)s, %(project)s, %(made)s::jsonb, %(lasts)s::interval, %(good_max)s)

-- name: rotate
-- A key that takes over from another.
SELECT key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, created_at, expires_at, revoked_at
FROM access.rotate(%(by_key)s, %(by_hash)s, %(project)s, %(old_key)s, %(made)s::jsonb, %(lasts)s::interval, %(overlap)s::interval)

-- name: revoke
-- The end of a key.
SELECT key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, created_at, expires_at, revoked_at
FROM access.revoke(%(by_key)s, %(by_hash)s, %(project)s, %(ended_key)s, %(why)s)

-- name: listed
-- Keys, without anything secret.
SELECT key_id, project, name, scopes, key_hash, sealed_secret, signature, public_key, replaces, created_at, expires_at, revoked_at
FROM access.listed(%(by_key)s, %(by_hash)s, %(project)s, %(after)s, %(most)s)

-- name: told
-- What was done to keys.
SELECT nth, at, act, key_id, actor, by_key, reason
FROM access.told(%(by_key)s, %(by_hash)s, %(project)s, %(before)s, %(most)s)
