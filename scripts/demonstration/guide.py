"""The guide: addresses, keys and commands for whoever wants to try the ledger while the demo runs.

Invariants: what is printed works as it stands, as long as the demo runs. Errors: none."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.demonstration.grid import JOB_GET, JOB_LIST
from scripts.demonstration.server import CHECKOUT
from scripts.demonstration.stage import Stage


def guide(stage: Stage) -> None:
    """Everything that one needs to look around."""
    cloud, url = stage.cloud, stage.url
    jobs = f"{url}{cloud.jobs}"
    stage.screen.section("Try it yourself", "While the demo runs.")
    stage.screen.table(
        ("what", "where"),
        [
            ("documentation", f"{url}/docs"),
            ("for programs", f"{url}/openapi.json"),
            ("jobs of cloud", f"{jobs}?sort=-updated"),
            ("jobs of shop", f"{url}{stage.shop.jobs}?sort=-updated"),
            ("ready?", f"{url}/readyz"),
            ("figures", f"{url}/metrics"),
            ("key of cloud", cloud.key),
            ("key of shop", stage.shop.key),
        ],
    )
    stage.screen.say("")
    for line in (
        f"KEY={cloud.key}",
        f'curl -sH "Authorization: Bearer $KEY" "{jobs}?state=Failed&limit=3&count=exact"',
        f'curl -sH "Authorization: Bearer $KEY" {jobs}/{stage.shown.id}/history',
        f'curl -sH "Authorization: Bearer $KEY" -H "Accept: application/x-ndjson" "{url}{cloud.events}?after=0"',
        f'curl -sH "Authorization: Bearer $KEY" {jobs} -d \'{{"type": "VirtualServer", "object": "mine"}}\'',
        f"{_command()} tail --data {_folder(stage.server.folder)}",
    ):
        stage.screen.say(line)
    signed(stage)


def signed(stage: Stage) -> None:
    """GoGrid addresses, signed now."""
    stage.screen.section("Signed GoGrid addresses", "Good for ten minutes: for a browser, or curl.")
    for words in (
        {"id": stage.shown.number, "format": "xml"},
        {"id": stage.shown.number, "format": "csv"},
    ):
        stage.screen.say(stage.grid.address(JOB_GET, **words))
    stage.screen.say(stage.grid.address(JOB_LIST, num_items=10, **{"job.state": "Failed"}))


def _command() -> str:
    installed = Path(sys.executable).with_name("jobledger")
    return _folder(installed) if installed.exists() else "python -m api.cli"


def _folder(path: Path) -> str:
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)
