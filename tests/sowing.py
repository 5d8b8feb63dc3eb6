"""`./scripts/seeds`: sows each bug of tests/seeds.py by itself, and counts how many the tests catch.

Invariants: a bug is caught when the test it names fails, for the reason it names; nothing on disk is changed. The exit code is 0 when all were
caught. Units: seconds. Errors: an unknown name ends it."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from tests.seed import CHECKOUT, Seed
from tests.seeds import SEEDS

DEADLINE_S = 300.0
_SOWN = CHECKOUT / "tests" / "sown"


@dataclass(frozen=True, slots=True)
class Catch:
    """What became of one seed. `says`: the end of what pytest printed, when it was not caught."""

    name: str
    promise: str
    caught: bool
    seconds: float
    says: str = ""


def sown(seed: Seed) -> Catch:
    """Run the seed's test with the bug in it."""
    began_s = time.monotonic()
    environment = {
        **os.environ,
        "JOBLEDGER_SEED": seed.name,
        "PYTHONPATH": os.pathsep.join((str(_SOWN), str(CHECKOUT))),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", seed.red]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    failed = f"FAILED {seed.red}" in done.stdout and done.returncode == 1
    caught = failed and re.search(seed.shows, done.stdout) is not None
    says = "" if caught else (done.stdout + done.stderr)[-3_000:]
    return Catch(seed.name, seed.promise, caught, round(time.monotonic() - began_s, 1), says)


def main() -> int:
    """Sow what was asked for, or all."""
    parser = argparse.ArgumentParser(prog="./scripts/seeds", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a seed, or a promise such as P4")
    parser.add_argument("--json", action="store_true", help="one document for programs")
    asked = parser.parse_args()
    unknown = set(asked.names) - {word for seed in SEEDS for word in (seed.name, seed.promise)}
    if unknown:
        parser.error(f"no seed and no promise: {', '.join(sorted(unknown))}")
    chosen = [
        seed for seed in SEEDS if not asked.names or {seed.name, seed.promise} & {*asked.names}
    ]
    catches = []
    for seed in chosen:
        catches.append(sown(seed))
        if not asked.json:
            word = "caught" if catches[-1].caught else "MISSED"
            print(
                f"{word}  {seed.promise:<4} {seed.name:<20} {catches[-1].seconds:>6.1f} s  {seed.bug}",
                flush=True,
            )
            print(catches[-1].says, end="")
    caught = sum(catch.caught for catch in catches)
    if asked.json:
        print(
            json.dumps(
                {"caught": caught, "of": len(catches), "seeds": [asdict(one) for one in catches]}
            )
        )
    else:
        print(f"{caught} of {len(catches)} caught")
    return 0 if caught == len(catches) else 1


if __name__ == "__main__":
    raise SystemExit(main())
