"""Java's Map.toString, read back: {key=value, key=value}.

Invariants: pure; a text is taken apart only where it can be taken apart in one way: each part between commas has one `=`, and no key comes twice. Any
other text is kept whole, under a name of its own that the XML tells as it stands, so that either way the same text comes out again."""

from __future__ import annotations

from api.dialects.gogrid.as_xml import WHOLE_TEXT, java_text
from ledger.events import Json


def parse(text: str) -> dict[str, Json]:
    """A map from its text."""
    found = _entries(text)
    if found is None or java_text(found) != text:
        return {WHOLE_TEXT: text}
    return found


def _entries(text: str) -> dict[str, Json] | None:
    if not (text.startswith("{") and text.endswith("}") and len(text) > 1):
        return None
    parts = text[1:-1].split(", ") if len(text) > 2 else []
    if any(part.count("=") != 1 for part in parts):
        return None
    found = dict(part.split("=") for part in parts)
    return {**found} if len(found) == len(parts) else None
