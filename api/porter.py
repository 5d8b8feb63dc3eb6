"""The porter: what is decided at the head of a request, before its credential is looked up and its body is read.

Invariants: operations that need no credential are always let in, since probes must see an overload; a request waits in the lane of the project
that its credential was found good for the last time, and those whose credential is not known share one lane, so that nobody gets more turns by
making credentials up; credentials are remembered by a digest that means nothing elsewhere. To refuse takes a bounded share of the process:
beyond REFUSALS_PER_S_MAX a line that was refused is left unread for up to as long as its client was told to wait. Units: seconds.
Errors: none; what is refused is said on the line."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from api.brief import Briefs
from api.measures import Measures
from api.operation import Asked
from api.turns import STRANGERS, Refuse, Turn, Turns
from ledger import settings
from ledger.errors import Busy

PORTER: Final = "porter"  # in the application's state: the porter himself
CROWDED: Final = Busy("The ledger has as many connections as it takes.")


class Porter:
    """One process's. Lines ask it for turns; whoever authenticates tells it whom he met."""

    def __init__(self, turns: Turns, measures: Measures) -> None:
        self.turns = turns
        self.briefs = Briefs(measures)
        self._lanes: OrderedDict[bytes, str] = OrderedDict()
        self._unread_until_s = 0.0
        self._blinded = hashlib.blake2b(key=secrets.token_bytes(32), digest_size=16)

    def ask(
        self, headers: Mapping[bytes, bytes], start: Callable[[], None], refuse: Refuse
    ) -> Turn:
        """A turn for a request with these headers. Either `start` or `refuse` is called once."""
        return self.turns.ask(self.lane(headers), start, refuse)

    def later(self, headers: Mapping[bytes, bytes]) -> Turn:
        """A turn that is still to be asked for, by `again`: where no line of ours is in front."""
        return self.turns.later(self.lane(headers))

    def lane(self, headers: Mapping[bytes, bytes]) -> str:
        """In which lane a request waits."""
        credential = headers.get(b"authorization") or headers.get(b"x-api-key")
        if not credential:
            return STRANGERS
        digest = self._digest(credential)
        lane = self._lanes.get(digest)
        if lane is None:
            return STRANGERS
        self._lanes.move_to_end(digest)
        return lane

    def unread_s(self, now_s: float) -> float:
        """For how long the line of one more refusal is left unread: not at all, unless many are refused. Clients that wait do not notice."""
        self._unread_until_s = max(self._unread_until_s, now_s) + 1 / settings.REFUSALS_PER_S_MAX
        ahead_s = self._unread_until_s - now_s - settings.UNREAD_S_MIN
        return min(ahead_s, settings.UNREAD_S_MAX) if ahead_s > 0 else 0.0

    def met(self, asked: Asked, project: str) -> None:
        """The credential of this request is good, in this project. One that waited in its lane was met before."""
        if asked.turn is not None and asked.turn.lane == project:
            return
        credential = _credential(asked)
        if credential:
            digest = self._digest(credential)
            self._lanes[digest] = project
            self._lanes.move_to_end(digest)
            if len(self._lanes) > settings.KEYS_CACHED_MAX:
                self._lanes.popitem(last=False)

    def turned_away(self, asked: Asked) -> None:
        """The credential of this request is not good."""
        credential = _credential(asked)
        if credential:
            self._lanes.pop(self._digest(credential), None)

    def _digest(self, credential: bytes) -> bytes:
        digest = self._blinded.copy()
        digest.update(credential)
        return digest.digest()


def _credential(asked: Asked) -> bytes:
    given = asked.headers.get("authorization") or asked.headers.get("x-api-key") or ""
    return given.encode("latin-1", "replace")
