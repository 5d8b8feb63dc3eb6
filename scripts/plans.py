"""./scripts/plans: run every filter in every order on a data set, and say how many rows and pages each page of fifty took.

Invariants: one embedded PostgreSQL on a temporary folder, ended whatever happens. It ends with 0 when each question that can be bounded is, 1 when
one is not. Units: rows of the read model `jobs`, pages of 8 KiB."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import psycopg

from ledger import embedded
from ledger.connection import Role, conninfo
from scripts.benchmarks import dataset, life, plans
from scripts.benchmarks.scene import Ground, Sizes, scene_on

SHOWN_MAX = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the data set, ask, and print the dearest."""
    parsing = argparse.ArgumentParser(prog="plans", description=__doc__.partition("\n")[0])
    parsing.add_argument("--jobs", type=int, default=1_000_000, help="jobs (%(default)s)")
    asked = parsing.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="jobledger-plans-") as folder:
        server = embedded.start(Path(folder))
        try:
            found = measured(Ground(server, Path(folder), Sizes(asked.jobs, 1)))
        finally:
            server.stop("immediate")
    found.sort(key=lambda one: -one.rows)
    print("project\tfilter\tword\torder\tindexes\trows\tpages\tfound")
    for one in found[:SHOWN_MAX]:
        print(
            "\t".join(
                " ".join(cell) if isinstance(cell, tuple) else str(cell) for cell in astuple(one)
            )
        )
    most = plans.rows_max(asked.jobs)
    free = [one for one in found if not plans.is_pulled_two_ways(one.filter, one.word, one.order)]
    dear = [one for one in free if one.rows > most]
    print(
        f"{len(found)} questions; {len(free)} that are bounded took at most {free[0].rows} rows of {most} allowed."
    )
    return int(bool(dear))


def measured(ground: Ground) -> list[plans.Cost]:
    """The costs in the largest project and in a small one."""
    with (
        scene_on(ground, "10M") as scene,
        psycopg.connect(conninfo(scene.dsn, Role.READER), autocommit=True) as connection,
    ):
        projects = (life.PROJECT, dataset.OTHERS[5])
        return [one for project in projects for one in plans.costs(connection, project)]


if __name__ == "__main__":
    sys.exit(main())
