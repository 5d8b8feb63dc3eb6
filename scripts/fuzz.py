"""./scripts/fuzz: requests that nobody thought of, over every dialect's OpenAPI document, against a real `jobledger serve`.

Invariants: the server, its database and its folder are gone afterwards. It ends with 0 when every answer was in its document, 1 when one
was not, the server's log tells of a crash, or an event does not name its principal, credential and request. The seed is printed, and makes a run
repeatable up to what the ledger itself makes up."""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from api.dialects import DIALECTS
from scripts.demonstration.server import Server
from scripts.fuzzing.campaign import Found, campaign
from scripts.fuzzing.target import Keyring, Target, accounted, peopled

NAMES = [dialect.name for dialect in DIALECTS]
PROJECT = "fuzz"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parsing = argparse.ArgumentParser(
        prog="fuzz",
        description="Ask every dialect what nobody thought of, and hold its answers to its document.",
    )
    parsing.add_argument(
        "names", nargs="*", metavar="DIALECT", help=f"all of {', '.join(NAMES)} by default"
    )
    parsing.add_argument("--json", action="store_true", help="answer in JSON, with every fault")
    parsing.add_argument(
        "--examples", type=int, default=300, help="drawn for each operation (%(default)s)"
    )
    parsing.add_argument("--seed", type=int, help="repeat the run that printed it")
    return parsing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked, and print it."""
    parsing = parser()
    asked = parsing.parse_args(arguments)
    if unknown := set(asked.names) - set(NAMES):
        parsing.error(f"There is no {', '.join(sorted(unknown))}; there is {', '.join(NAMES)}.")
    if asked.examples <= 0:
        parsing.error("--examples is more than 0.")
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end)
    seed = random.SystemRandom().getrandbits(32) if asked.seed is None else asked.seed
    with tempfile.TemporaryDirectory(prefix="jobledger-fuzz-") as folder:
        server = Server(Path(folder), 0)
        try:
            target = _target(server)
            found = list(_campaigns(asked.names or NAMES, target, asked.examples, seed))
            crashes = _crashes(server.log)
            events, nobodys = accounted(target)
        finally:
            server.stop()
    if asked.json:
        document = {**_document(found, crashes, seed), "events": events, "nobodys": nobodys}
        print(json.dumps(document, indent=2))
    else:
        print(_table(found, crashes, seed))
        print(
            f"{events} events written, {nobodys} of them without principal, credential or request"
        )
    return int(bool(crashes or nobodys) or not all(one.is_clean for one in found))


def _target(server: Server) -> Target:
    url = server.wait_ready()
    key = server.make_key(PROJECT, "jobs:read", "jobs:write", "audit:read", name="fuzz")
    signing = server.make_key(PROJECT, "jobs:read", name="fuzz, signed", signing=True)
    return peopled(url, Keyring(PROJECT, key.key, signing.key, signing.secret))


def _campaigns(names: Sequence[str], target: Target, examples: int, seed: int) -> Iterable[Found]:
    for dialect in DIALECTS:
        if dialect.name in names:
            print(f"fuzz: {dialect.name}", file=sys.stderr)
            yield campaign(dialect, target, examples=examples, seed=seed)


def _crashes(log: Path) -> list[str]:
    """What the server's log tells of things that should not happen."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = (line for line in lines if '"level":"error"' in line.replace(" ", ""))
    return [line[:2_000] for line in errors]


def _table(found: Sequence[Found], crashes: Sequence[str], seed: int) -> str:
    lines = [f"{'dialect':<12} {'requests':>8} {'5xx':>5} {'faults':>6}  statuses"]
    for one in found:
        statuses = " ".join(f"{status}:{n}" for status, n in sorted(one.statuses.items()))
        worst = sum(n for status, n in one.statuses.items() if status >= 500)
        lines.append(
            f"{one.dialect:<12} {one.requests:>8} {worst:>5} {len(one.faults):>6}  {statuses}"
        )
        lines += [f"  {fault}\n    {shown}" for fault, shown in one.faults.items()]
        lines += [f"  could not be asked: {error}" for error in one.errors]
    lines += [f"the server's log: {line}" for line in crashes]
    total = sum(one.requests for one in found)
    return "\n".join([*lines, f"{total} requests, seed {seed}"])


def _document(found: Sequence[Found], crashes: Sequence[str], seed: int) -> dict[str, Any]:
    dialects: list[dict[str, Any]] = [
        {
            "dialect": one.dialect,
            "requests": one.requests,
            "statuses": {str(status): n for status, n in sorted(one.statuses.items())},
            "faults": [{"fault": fault, "request": shown} for fault, shown in one.faults.items()],
            "errors": one.errors,
        }
        for one in found
    ]
    total = sum(one.requests for one in found)
    return {"seed": seed, "requests": total, "crashes": list(crashes), "dialects": dialects}


def _end(number: int, _frame: FrameType | None) -> None:
    """Unwind as Ctrl-C does."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
