"""Known jobs: what the ledger already has of the jobs that a file tells of.

Invariants: a history that is found goes by the job's own id from then on; a job that is followed is folded once and then carried along, at most
`settings.IMPORT_JOBS_FOLLOWED_MAX` of them, the least recently used go first. Errors: psycopg's own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from api.transfer.columns import Plain
from ledger import bulk, settings
from ledger.codec import Row, decode
from ledger.imported import History
from ledger.job import Job, fold
from ledger.store import Connection


class Known:
    """A job that the ledger has. `there` is what of it a source may tell again; its fold is made when it is first needed."""

    def __init__(self, rows: list[Row], there: list[Row]) -> None:
        self.project = rows[0].project
        self.there = there
        self._rows = rows
        self._job: Job | None = None

    @property
    def job(self) -> Job:
        """The job as the log has it, or as it will once what was decided is saved."""
        if self._job is None:
            self._job = fold([decode(row) for row in self._rows])
            self._rows = []
        assert self._job is not None
        return self._job

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is to be expected of it, as far as that is known without folding it."""
        return self._job is not None and self._job.absorbed and not self.there

    def goes_on(self, job: Job | None) -> None:
        """The job was decided to become this."""
        assert job is not None
        self._job = job


class KnownJobs:
    """What is known of a file's jobs. `begin` is the position at which the import began; `follow`: a job may come up in many batches.

    `there`: whether the ledger had any of the batch that was last looked for, or that clashed; None before the first.
    An empty ledger has none, and so is not asked."""

    def __init__(self, lookup: Connection, begin: int) -> None:
        self.follow = False
        self.there: bool | None = None if begin else False
        self._lookup = lookup
        self._begin = begin
        self._followed: OrderedDict[UUID, Known] = OrderedDict()

    async def found(self, asked: Sequence[History]) -> dict[UUID, Known]:
        """The jobs of these histories that the ledger has."""
        if not asked:
            return {}
        await self._resolve(asked)
        wanted = {history.job_id for history in asked if history.by_id}
        found = {job_id: self._followed[job_id] for job_id in wanted if job_id in self._followed}
        missing = wanted - found.keys()
        if missing:
            for job_id, rows in (await bulk.stored(self._lookup, missing)).items():
                # What this import itself appended is not told again by a later line of the same file.
                there = [
                    row for row in rows if not self.follow or row.notification_id <= self._begin
                ]
                found[job_id] = Known(rows, there)
        return found

    @property
    def looks(self) -> bool:
        """Whether the ledger should be asked for a batch's jobs before they are sent."""
        return self.there is not False

    async def look_for(self, parts: Sequence[Plain]) -> None:
        """Find out whether the ledger has, or may have, some job of these."""
        by_id = any(part.by_id for part in parts)
        self.there = by_id or bool(await bulk.holders(self._lookup, parts))

    async def _resolve(self, asked: Sequence[History]) -> None:
        holders = await bulk.holders(self._lookup, asked)
        for history in asked:
            named = {
                name: holders[history.project, *name]
                for name in history.names
                if (history.project, *name) in holders
            }
            ids = {*named.values(), *([history.job_id] if history.by_id else [])}
            history.torn = _torn(history, named) if len(ids) > 1 else None
            if len(ids) == 1:
                history.job_id, history.by_id = ids.pop(), True

    def keep(self, job_id: UUID, known: Known) -> None:
        """Carry a job along while more of its lines are to be expected."""
        if not self.follow:
            return
        if known.has_ended:
            self._followed.pop(job_id, None)
            return
        self._followed[job_id] = known
        self._followed.move_to_end(job_id)
        if len(self._followed) > settings.IMPORT_JOBS_FOLLOWED_MAX:
            self._followed.popitem(last=False)

    def forget(self, job_id: UUID) -> None:
        """Somebody else changed the job: read it anew."""
        self._followed.pop(job_id, None)


def _torn(history: History, named: dict[tuple[str, str], UUID]) -> str:
    if history.by_id:
        strangers = [
            f"{kind} {value}" for (kind, value), job_id in named.items() if job_id != history.job_id
        ]
        return f"Another job has its {' and its '.join(strangers)}."
    return f"Its {' and its '.join(f'{kind} {value}' for kind, value in named)} are those of different jobs."


def together(histories: Sequence[History]) -> list[History]:
    """Histories of one job that its lines named differently, as one."""
    by_id: dict[UUID, History] = {}
    for history in histories:
        first = by_id.setdefault(history.job_id, history)
        if first is not history:
            first.claims = sorted([*first.claims, *history.claims], key=lambda claim: claim.line)
            first.raws |= history.raws
            first.names = tuple(dict.fromkeys([*first.names, *history.names]))
    return list(by_id.values())
