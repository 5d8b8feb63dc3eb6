"""The command line: what it offers, how it teaches, and how it refuses. Nothing here needs a database."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from api.cli import COMMANDS, main
from api.place import NoDatabase
from ledger import settings
from projections.filters import FILTERS

RUNNER = CliRunner()
GROUP = get_command(main)


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEDGER_DATA", "LEDGER_DATABASE_URL", "LEDGER_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command and every command of a group, by the words one types."""
    for entry in COMMANDS:
        command = GROUP.get_command(None, entry.name)  # type: ignore[attr-defined]
        yield entry.name, command
        for name, inner in getattr(command, "commands", {}).items():
            yield f"{entry.name} {name}", inner


def test_the_table_is_the_help() -> None:
    shown = RUNNER.invoke(main, ["--help"]).stdout
    words = " ".join(shown.split())
    for entry in COMMANDS:
        assert f"{entry.name} {entry.summary}" in words
        assert f"\n{entry.topic}:\n" in shown
    assert len({entry.name for entry in COMMANDS}) == len(COMMANDS)


def test_the_commands_of_the_issue_are_there() -> None:
    assert {name for name, _ in commands()} >= {
        "serve", "migrate", "keys create", "keys list", "keys revoke", "jobs list", "jobs show", "jobs history",
        "tail", "rebuild", "verify", "replay", "status", "doctor", "dsn", "config show", "version",
    }  # fmt: skip


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_a_summary_is_the_first_line_of_its_command(entry: Any) -> None:
    command = GROUP.get_command(None, entry.name)  # type: ignore[attr-defined]
    assert command.help.partition("\n")[0] == entry.summary


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_option_is_explained(name: str) -> None:
    command = dict(commands())[name]
    assert command.help, name
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name} {parameter.name}"
    shown = RUNNER.invoke(main, [*name.split(), "--help"])
    assert shown.exit_code == 0


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom api.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'psycopg', 'pydantic', 'starlette', 'uvicorn', 'cryptography', 'structlog', 'rich', 'eventsourcing'}\n"
        "sys.stderr.write(' '.join(sorted(heavy & set(sys.modules))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Run the ledger" in done.stdout
    assert done.stderr == ""


def test_a_mistyped_command_is_guessed() -> None:
    refused = RUNNER.invoke(main, ["sreve"])
    assert refused.exit_code == 2
    assert "Did you mean 'serve'" in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["keys", "create", "--data", "DIR", "--project", "p"],
        ["keys", "create", "--data", "DIR", "--project", "p", "--scope", "jobs:everything"],
        ["keys", "create", "--data", "DIR", "--project", "p", "--scope", "public"],
        ["keys", "create", "--data", "DIR", "--project", "p", "--scope", "jobs:read", "--expires-in-days", "1e9"],
        ["serve", "--data", "DIR", "--port", "65536"],
        ["jobs", "list", "--data", "DIR"],
        ["jobs", "list", "--data", "DIR", "--project", "p", "--colour", "red"],
        ["jobs", "show", "--data", "DIR", "--project", "p"],
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_2_and_makes_nothing(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    refused = RUNNER.invoke(main, [str(folder) if word == "DIR" else word for word in words])
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert "Error:" in refused.stderr
    assert not folder.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["keys", "list"],
        ["keys", "revoke", "0123456789abcdef"],
        ["jobs", "list", "--project", "p"],
        ["jobs", "show", "1", "--project", "p"],
        ["tail"],
        ["doctor"],
        ["dsn"],
        ["rebuild"],
        ["verify"],
        ["replay", "--to", "1"],
    ],
    ids=" ".join,
)
def test_a_question_makes_no_ledger(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    refused = RUNNER.invoke(main, [*words, "--data", str(folder)])
    assert refused.exit_code == 1
    assert refused.stdout == ""
    sentence, hint = refused.stderr.splitlines()
    assert sentence.startswith("jobledger: ")
    assert str(folder) in sentence
    assert "jobledger serve --data DIR" in hint
    assert not folder.exists()


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_nobody_said_where(entry: Any) -> None:
    words = {"keys": ["list"], "jobs": ["list", "--project", "p"], "config": ["show"]}.get(
        entry.name, []
    )
    words += {"import": ["FILE", "--project", "p"], "export": ["--project", "p"]}.get(
        entry.name, []
    )
    answered = RUNNER.invoke(main, [entry.name, *words])
    if entry.name in ("config", "version"):
        assert answered.exit_code == 0
    else:
        assert answered.exit_code in (1, 2)
        assert answered.stdout == ""


def test_an_environment_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_WAIT_S_MAX", "soon")
    for words in (["status", "--data", "x"], ["config", "show"]):
        refused = RUNNER.invoke(main, words)
        assert refused.exit_code == 1
        assert "LEDGER_WAIT_S_MAX" in refused.stderr


def test_an_unreachable_database_shows_no_password() -> None:
    url = "postgresql://anna:sesame@127.0.0.1:1/ledger"
    for broken in (url, url.replace("//anna", "//\x00anna"), "postgresql://anna:sesame@h:x/db"):
        refused = RUNNER.invoke(main, ["status", "--database-url", broken])
        assert refused.exit_code == 1, refused
        assert "sesame" not in refused.stderr + refused.stdout
    refused = RUNNER.invoke(main, ["status", "--database-url", url])
    assert "database ledger on 127.0.0.1:1" in refused.stderr
    # After a crash of one of its sessions a server mends itself and is back within seconds; this one is not there.
    waits, looks = NoDatabase.hint.splitlines()
    assert f"  {waits}\n  {looks}\n" in refused.stderr


def test_jobs_list_has_every_filter() -> None:
    listing = dict(commands())["jobs list"]
    options = {option for parameter in listing.params for option in parameter.opts}
    assert options >= {f"--{name.replace('_', '-')}" for name in FILTERS}


def test_a_filter_that_does_not_fit_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    words = ["jobs", "list", "--data", str(tmp_path / "x"), "--project", "p"]
    for wrong in (
        ["--state", "Sleeping"],
        ["--created-from", "yesterday"],
        ["--cursor", "%"],
        ["--sort", "colour"],
    ):
        refused = RUNNER.invoke(main, [*words, *wrong])
        assert refused.exit_code == 1
        assert "There is no ledger" not in refused.stderr


def test_config_shows_every_setting_and_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_DATABASE_URL", "postgresql://anna:sesame@db/ledger")
    monkeypatch.setenv("LEDGER_LOG_LEVEL", "debug")
    told = RUNNER.invoke(main, ["config", "show", "--json"])
    assert "sesame" not in told.stdout
    answer = json.loads(told.stdout)
    chosen = {row["variable"]: row for row in answer["settings"]}
    assert set(chosen) == {f"LEDGER_{name.upper()}" for name in settings.Settings.model_fields}
    assert chosen["LEDGER_LOG_LEVEL"]["value"] == "debug"
    assert chosen["LEDGER_LOG_LEVEL"]["default"] == "info"
    assert all(row["meaning"] for row in chosen.values())
    limits = {row["name"]: row for row in answer["limits"]}
    constants = {name: value for name, value in vars(settings).items() if name.isupper()}
    assert {name: row["value"] for name, row in limits.items()} == constants
    assert all(row["reason"] and row["topic"] for row in limits.values())


def test_version() -> None:
    told = json.loads(RUNNER.invoke(main, ["version", "--json"]).stdout)
    assert set(told) >= {"version", "python", "psycopg"}
