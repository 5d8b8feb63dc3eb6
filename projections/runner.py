"""The runner: one worker a projection, so that none can hold up another.

Invariants: workers are daemons of this process and stop with it; a stopped runner folds nothing more. Errors: none escape a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from projections import PROJECTIONS
from projections.projection import Projection
from projections.worker import Worker


class Runner:
    """Keeps all projections of a ledger at the end of its log."""

    def __init__(
        self,
        dsn: str,
        projections: Sequence[Projection] = PROJECTIONS,
        on_progress: Callable[[str, int], None] = lambda name, position: None,
    ) -> None:
        self._workers = [Worker(dsn, projection, on_progress) for projection in projections]

    def start(self) -> None:
        """Begin."""
        for worker in self._workers:
            worker.start()

    def wake(self, position: int) -> None:
        """The log has grown up to this position."""
        for worker in self._workers:
            worker.wake(position)

    def stop(self) -> None:
        """Stop after the folds under way, and wait until they are done."""
        for worker in self._workers:
            worker.end()
        for worker in self._workers:
            if worker.is_alive():
                worker.join()
