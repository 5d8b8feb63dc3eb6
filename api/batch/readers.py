"""READERS: whose items the ledger can apply, by the form that is kept with a batch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from api.batch.wish import Reader
from api.dialects.fullstory import ask, item

READERS: Mapping[str, Reader] = MappingProxyType({ask.FORM: item.read})
