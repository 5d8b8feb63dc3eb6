"""Jobs held back: after a line that was rejected, nothing more of its job is imported, so that its history gets no hole.

Invariants: what stood above the rejected line is not touched; a mended file brings the rest. Units: lines from 1; at most
`settings.JOBS_CACHED_MAX` names are remembered, the oldest are forgotten first. Errors: Bad."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from api.transfer.lines import Bad
from ledger import settings


class Held:
    """The names of held jobs, by project, with the line that was rejected."""

    def __init__(self, names_max: int = settings.JOBS_CACHED_MAX) -> None:
        self._lines: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._names_max = names_max

    def hold(self, project: str, names: Iterable[tuple[str, str]], line: int) -> None:
        """Hold a job back from behind this line on."""
        for kind, value in names:
            self._lines.setdefault((project, kind, value), line)
        while len(self._lines) > self._names_max:
            self._lines.popitem(last=False)

    def line(self, project: str, names: Iterable[tuple[str, str]]) -> int | None:
        """The rejected line of a job that goes by any of these names, or None."""
        lines = [self._lines.get((project, kind, value)) for kind, value in names]
        return min((line for line in lines if line is not None), default=None)

    def check(self, project: str, names: Iterable[tuple[str, str]]) -> None:
        """Raise Bad when the job is held back."""
        if self._lines and (line := self.line(project, names)) is not None:
            raise Bad(reason(line))


def reason(line: int) -> str:
    """Why a line of a held job is rejected."""
    return f"Line {line} of the same job was rejected, so what comes behind it waits for a mended file."
