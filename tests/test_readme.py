"""The README is held to the code: what it names exists, and what exists it names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from api.cli import COMMANDS
from api.dialects import DIALECTS
from ledger.events import EVENTS
from projections.filters import FILTERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("topic", EVENTS)
def test_every_event_is_named(topic: str) -> None:
    assert f"`{topic}`" in README


def test_no_event_is_named_that_is_not() -> None:
    assert set(re.findall(r"`(job\.[a-z_]+)`", README)) == set(EVENTS)


def test_the_filters_named_are_the_filters_there_are() -> None:
    sentence = re.search(r"\*\*Filters\*\*: (.*?); ranges", README, re.DOTALL)
    assert sentence
    assert set(re.findall(r"`(\w+)`", sentence[1])) == set(FILTERS)
    repeatable = set(re.findall(r"`(\w+)` \(repeatable", sentence[1]))
    assert repeatable == {row.name for row in FILTERS.values() if row.many}


def test_the_dialects_named_are_the_dialects_there_are() -> None:
    table = README.partition("## Dialects")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {one.name for one in DIALECTS}


def test_every_operation_of_the_native_api_is_named() -> None:
    native = next(one for one in DIALECTS if one.name == "native")
    named = set(re.findall(r"`((?:GET|POST|PATCH|DELETE) /[^`]*)`", README))
    assert named == {f"{one.method} {one.path}" for one in native.operations}


def test_the_commands_named_are_the_commands_there_are() -> None:
    named = {line.split()[1] for line in re.findall(r"`(jobledger [a-z]+[^`]*)`", README)}
    assert named == {entry.name for entry in COMMANDS}


def test_every_file_that_is_linked_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_two_commands_come_first() -> None:
    first = README.partition("```sh\n")[2].partition("```")[0]
    assert [line.split()[0] for line in first.splitlines()] == ["./scripts/demo", "./scripts/test"]
    assert all((ROOT / line.split()[0]).stat().st_mode & 0o100 for line in first.splitlines())


def test_the_map_in_the_readme_is_a_map() -> None:
    from api.transfer.map import Map

    [text] = [one for one in tomls() if "[job]" in one]
    Map.model_validate(tomllib.loads(text))


def test_the_trust_in_the_readme_is_one() -> None:
    from api.oidc import Trust

    [text] = [one for one in tomls() if "issuer" in one]
    Trust.model_validate(tomllib.loads(text))


def tomls() -> list[str]:
    """The TOML files shown."""
    return re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
