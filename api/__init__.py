"""The API: how we say it. HTTP, dialects, credentials and the command line."""
