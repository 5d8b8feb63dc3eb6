"""The table of seeded bugs: every row still fits the source, and the short ones are caught; `./scripts/seeds` sows all."""

from __future__ import annotations

import re

import pytest

from tests.seed import CHECKOUT, Seed
from tests.seeds import SEEDS
from tests.sowing import sown


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_seed_fits_the_source(seed: Seed) -> None:
    for change in seed.changes:
        assert list(change.places()), f"{change.files} does not hold {change.old!r} any more"
    path, _, name = seed.red.partition("::")
    name = name.partition("[")[0]
    assert f"def {name}" in (CHECKOUT / path).read_text()


def test_what_is_sown_into_the_append_is_sown_into_the_one_that_runs() -> None:
    """A later migration defines it anew, and leaves the text of the earlier ones as it was."""
    made = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION ledger\.append\(.*?END \$\$;", re.DOTALL)
    files = sorted((CHECKOUT / "ledger" / "migrations").glob("*.sql"))
    ours = [body for path in files for body in made.findall(path.read_text())]
    for change in (change for seed in SEEDS for change in seed.changes):
        if any(change.old in body for body in ours):
            assert change.old in ours[-1], change.old


def test_each_is_one_bug_of_a_promise_that_is_made() -> None:
    assert len({seed.name for seed in SEEDS}) == len(SEEDS)
    assert {seed.promise for seed in SEEDS} == {f"P{nth}" for nth in range(1, 15)}


@pytest.mark.parametrize("seed", [one for one in SEEDS if one.short], ids=lambda seed: seed.name)
def test_the_short_ones_are_caught(seed: Seed) -> None:
    catch = sown(seed)
    assert catch.caught, catch.says
