"""Made: a named tuple from its fields, in order and all of them, in half the time of its own constructor, which is Python.

For what is made with every write, at the one place where it is. Errors: none; nobody counts the fields."""

from __future__ import annotations

from typing import Final

made: Final = tuple.__new__
