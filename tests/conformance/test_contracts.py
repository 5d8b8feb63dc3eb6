"""Every box of every contract has its tests, and every test that a contract names is one that runs.

Seen red: a test renamed, a test marked to be skipped, a box without statements."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from api.dialects import DIALECTS
from tests.conformance.contracts.comestri import COMESTRI
from tests.conformance.contracts.contract import Contract
from tests.conformance.contracts.decided import DECIDED, GOLDEN_SET
from tests.conformance.contracts.fullstory import FULLSTORY
from tests.conformance.contracts.geoop import GEOOP
from tests.conformance.contracts.gogrid import GOGRID
from tests.conformance.contracts.openlineage import OPENLINEAGE
from tests.conformance.contracts.orange import ORANGE
from tests.conformance.contracts.together import SIDE_BY_SIDE, STATES

ROOT = Path(__file__).parents[2]
CONTRACTS: Mapping[str, Contract] = {
    "gogrid": GOGRID,
    "comestri": COMESTRI,
    "orange": ORANGE,
    "geoop": GEOOP,
    "fullstory": FULLSTORY,
    "openlineage": OPENLINEAGE,
    "side by side": SIDE_BY_SIDE,
    "states": STATES,
    "decided": DECIDED,
    "golden set": GOLDEN_SET,
}

# How many boxes each has, counted in the products' documents and not here.
BOXES = {
    "gogrid": 28,
    "comestri": 9,
    "orange": 7,
    "geoop": 7,
    "fullstory": 6,
    "openlineage": 1,
    "side by side": 15,
    "states": 6,
    "decided": 13,
    "golden set": 7,
}


@cache
def written(path: str) -> dict[str, bool]:
    """The tests of a file: whether each is left to run."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = (one for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    return {
        one.name: not any(word in ast.dump(mark) for mark in one.decorator_list for word in ("skip", "xfail"))
        for one in found
        if one.name.startswith("test_")
    }  # fmt: skip


NAMED = sorted(
    {
        node
        for contract in CONTRACTS.values()
        for statements in contract.values()
        for nodes in statements.values()
        for node in nodes
    }
)


def test_every_test_that_is_named_exists_and_runs() -> None:
    for node in NAMED:
        path, _, name = node.partition("::")
        assert written(path).get(name), node


@pytest.mark.parametrize("name", CONTRACTS)
def test_no_box_is_without_a_test(name: str) -> None:
    for box, statements in CONTRACTS[name].items():
        assert statements, box
        for statement, nodes in statements.items():
            assert nodes, statement
            assert len(set(nodes)) == len(nodes), statement


def test_all_boxes_are_here() -> None:
    assert {name: len(contract) for name, contract in CONTRACTS.items()} == BOXES


def test_every_product_has_a_contract() -> None:
    assert {one.name for one in DIALECTS} - {"native"} <= set(CONTRACTS)
