"""Named queries from `.sql` files.

Invariants: a query is introduced by `-- name: word` and one comment that says what it is for; the file lies beside its module, so its text
is as trusted as the code and is vouched for here, in one place, as LiteralString. Errors: KeyError for a name that is not there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load(module_file: str) -> Mapping[str, LiteralString]:
    """The queries of the `.sql` file beside `module_file`, by name."""
    text = Path(module_file).with_suffix(".sql").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> Mapping[str, LiteralString]:
    """Split a file's text into its named queries."""
    _, *parts = _NAME.split(text)
    queries = dict(zip(parts[0::2], (part.strip() for part in parts[1::2]), strict=True))
    return MappingProxyType(cast("dict[str, LiteralString]", queries))
