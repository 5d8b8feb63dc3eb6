"""Keys managed over HTTP, by keys that may: issued, listed, rotated, revoked, and an account of it."""
