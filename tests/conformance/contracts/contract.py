"""A contract: what a product's own documents say, as boxes of statements, each with the tests that hold it.

Invariants: a statement is in our own words; its tests are node ids, without parameters, that somebody read and found able to turn red for it."""

from __future__ import annotations

from collections.abc import Mapping

# A box -> its statements -> the ids of their tests.
Contract = Mapping[str, Mapping[str, tuple[str, ...]]]
