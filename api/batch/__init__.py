"""Batches: work that is taken at once and done later, beside the requests."""
