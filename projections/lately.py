"""Lately: how jobs were said in lists a moment ago, for one process, so that what many ask for is made into words once.

Invariants: nothing is said from here but what a reader of the same project was just shown behind the wall, at the version that he was shown; a newer
version takes the older one's place, each moment of the past has its own, and all is forgotten some seconds after the first of it was kept, also when
nobody asks any more, so that what was erased is in no memory for long; the bytes are bounded. Units: seconds, bytes. Errors: none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ledger import settings
from ledger.past import AsOf
from projections.question import Query, Telling

_JOB_BYTES: Final = 320  # what a job takes in Python beside its text, and some room for its place
_WHOSE_BYTES: Final = 600  # what those of one project, told in one way as of one moment, take
_QUESTION_BYTES: Final = 100  # and the hash of a question

# Of a job of the past also its version now, since an erasure is an event: what was said before it must not be said again.
Version = int | tuple[int, int]
Words = dict[int, tuple[Version, bytes]]  # by a job's number: the version, and what is said of it
# The project, since a number is one job's within it alone, how its jobs are told, and as of when.
Whose = tuple[str, Telling, AsOf | None]


class Lately:
    """One process's. `on_told` hears how many jobs of a list were remembered, and how many were read."""

    def __init__(
        self,
        bytes_max: int = settings.LATELY_BYTES_MAX,
        kept_s: float = settings.LATELY_S,
        on_told: Callable[[int, int], None] = lambda remembered, read: None,
    ) -> None:
        self.size_bytes = 0
        self.on_told = on_told
        self._bytes_max = bytes_max
        self._kept_s = kept_s
        self._words: dict[Whose, Words] = {}
        # By their hashes, since to take one for another costs a statement or a longer way, nothing else.
        self._questions: set[int] = set()
        self._few: dict[int, bool] = {}
        self._forgetting: asyncio.TimerHandle | None = None

    def asked(self, query: Query) -> bool:
        """Whether this very list was asked for a moment ago; from now on it was."""
        known = hash(query)
        if known in self._questions:
            return True
        self._make_room(_QUESTION_BYTES)
        self._questions.add(known)
        return False

    def few(self, query: Query) -> bool | None:
        """Whether few jobs were on the short way to this list's a moment ago, which changes slowly and decides on nothing but the way."""
        return self._few.get(hash(query))

    def keep_few(self, query: Query, few: bool) -> None:
        """Remember that they were, or that they were many."""
        self._make_room(_QUESTION_BYTES)
        self._few[hash(query)] = few

    def words(self, project: str, telling: Telling, as_of: AsOf | None = None) -> Words:
        """What is remembered of a project's jobs, to be looked at and not to be changed."""
        return self._words.get((project, telling, as_of)) or {}

    def keep(self, project: str, telling: Telling, words: Words, as_of: AsOf | None = None) -> None:
        """Remember how jobs of a project were said."""
        size_bytes = sum(len(text) + _JOB_BYTES for _, text in words.values())
        whose = (project, telling, as_of)
        if words and whose not in self._words:
            size_bytes += _WHOSE_BYTES
        if 0 < size_bytes <= self._bytes_max:
            self._make_room(size_bytes)
            self._words.setdefault(whose, {}).update(words)

    def forget(self) -> None:
        """Know nothing any more."""
        if self._forgetting is not None:
            self._forgetting.cancel()
            self._forgetting = None
        self._words.clear()
        self._questions.clear()
        self._few.clear()
        self.size_bytes = 0

    def _make_room(self, size_bytes: int) -> None:
        if self.size_bytes + size_bytes > self._bytes_max:
            self.forget()
        if self._forgetting is None:
            self._forgetting = asyncio.get_running_loop().call_later(self._kept_s, self.forget)
        self.size_bytes += size_bytes
