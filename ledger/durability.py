"""Settings without which PostgreSQL acknowledges what it may lose.

Invariants: a session that would is refused before it appends; a database, a role or a session may have its own value, so each session is asked.
Errors: Misconfigured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, LiteralString

from ledger.errors import Misconfigured

NAMES: Final = ("fsync", "full_page_writes", "synchronous_commit")
# As this session has them.
QUERY: Final[LiteralString] = (
    "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')"
)


def unsafe(found: Mapping[str, object]) -> list[str]:
    """Those of them that are off."""
    return [name for name in NAMES if found.get(name) == "off"]


def refuse_unsafe(row: tuple[object, ...] | None) -> None:
    """Refuse a session by what QUERY says of it."""
    if off := unsafe(dict(zip(NAMES, row or (), strict=False))):
        raise Misconfigured(
            f"PostgreSQL runs with {'=off, '.join(off)}=off, so acknowledged events could be lost."
        )
