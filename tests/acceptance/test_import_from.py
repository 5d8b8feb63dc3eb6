"""Moving over: responses of the old systems through the command, into a database, and again.

Seen red: an import that renumbers its entries, one that takes a later response for a conflict, rejects that name the wrong file."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ledger import embedded
from tests.fix_command import COMMAND, Command
from tests.fix_foreign import ENTRY, SAMPLE
from tests.fix_gogrid import GET, GOLDEN, tell
from tests.fix_transfer import by_id, text_file

JSON, XML, CSV = ((GOLDEN / f"job_60531.{form}") for form in ("json", "xml", "csv"))


def job(number: int, *states: str, **more: Any) -> dict[str, Any]:
    """A job of GoGrid's, whose entries have ids and no times but the last."""
    [told] = json.loads(JSON.read_text())["list"]
    entries = [
        {"id": number * 10 + nth, "state": {"name": state}} for nth, state in enumerate(states)
    ]
    entries[-1]["updatedon"] = told["lastupdatedon"] + len(states)
    last = {
        "history": entries,
        "currentstate": {"name": states[-1]},
        "lastupdatedon": entries[-1]["updatedon"],
    }
    return {**told, "id": number, **last, "attempts": states.count("Processing"), **more}


def page(*jobs: dict[str, Any]) -> str:
    return json.dumps({"list": jobs, "method": "/grid/job/list", "status": "success"})


def test_pages_come_in_once_and_later_ones_add_what_is_new(
    command: Command, tmp_path: Path
) -> None:
    first = text_file(tmp_path, page(job(1, "Created"), job(2, "Created", "Queued")), "1.json")
    second = text_file(tmp_path, JSON.read_text() + page(job(3, "Created", "Canceled")), "2.json")
    later = text_file(
        tmp_path,
        page(
            job(1, "Created", "Queued", "Processing"),
            job(2, "Created", "Processing"),
            job(4, "Created"),
        ),
        "3.json",
    )
    rejects = tmp_path / "rejects.csv"
    words = ("import", "--from", "gogrid-json", "--project", "p", "--rejects", str(rejects))
    done = command.answer(*words, str(first), str(second))
    assert (done["jobs"], done["events"], done["rejected"]) == (4, 9, 0)
    done = command.answer(*words, str(second), str(first))
    assert (done["jobs"], done["events"], done["already"], done["rejected"]) == (0, 0, 4, 0)
    done = command.answer(*words, str(first), str(later))
    assert (done["jobs"], done["events"], done["already"], done["rejected"]) == (1, 3, 2, 1)
    with rejects.open(newline="") as stream:
        [reject] = csv.DictReader(stream)
    assert (reject["file"], reject["line"]) == (str(later), "1")
    assert reject["reason"] == (
        "Job 2: The job exists with another history: its entry 21 is Processing, where the ledger has Queued."
    )
    assert json.loads(reject["row"])["id"] == 2
    for again in (first, second):
        done = command.answer(*words, str(again))
        assert (done["events"], done["rejected"]) == (0, 0)
    check_60531(command)


def check_60531(command: Command) -> None:
    """The seed's job is told as it was, from the log and from the read models."""
    assert command.answer("jobs", "list", "--project", "p", "--limit", "1", "--total")["total"] == 5
    server = embedded.running(command.data) or embedded.start(command.data)
    jobs = {one.number: one for one in by_id(server.dsn()).values()}
    body = tell(GET, (jobs[60531],), "id=60531").body
    assert json.loads(body) == json.loads(JSON.read_text())
    server.leave()


@pytest.mark.parametrize(
    ("system", "file", "jobs"), [("gogrid-xml", XML, 1), ("gogrid-csv", CSV, 1)]
)
def test_standard_input_and_several_answers_in_it(
    command: Command, system: str, file: Path, jobs: int
) -> None:
    done = subprocess.run(
        [*COMMAND, "import", "-", "--from", system, "--project", "p", "--json", "--data", str(command.data)],
        input=file.read_text() * 3,
        capture_output=True,
        text=True,
        env=command.environment,
        timeout=60,
        check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert (told["jobs"], told["events"], told["already"], told["rejected"]) == (jobs, 4, 2, 0)


def test_comestri_and_orange(command: Command, tmp_path: Path) -> None:
    entries = [{**ENTRY, "id": nth, "request_id": f"r{nth}"} for nth in range(1, 4)]
    text = json.dumps({"entries": entries[:2]}) + "\n" + json.dumps(entries[2])
    file = text_file(tmp_path, text, "comestri.json")
    done = command.answer("import", str(file), "--from", "comestri", "--project", "p")
    assert (done["jobs"], done["events"], done["rejected"]) == (3, 9, 0)
    where = {"hRef": "/projects/q/jobs/x"}
    file = text_file(tmp_path, json.dumps([{**SAMPLE, **where}]), "orange.json")
    done = command.answer("import", str(file), "--from", "orange")
    assert (done["jobs"], done["events"], done["rejected"]) == (1, 2, 0)
    assert command.answer("import", str(file), "--from", "orange")["already"] == 1
    assert command.answer("jobs", "show", SAMPLE["id"], "--project", "q")["owner"] == "string"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--from", "gogrid-yaml", "--project", "p"), "--from is one of gogrid-json"),
        (("--from", "gogrid-json"), "say --project"),
        (("--from", "gogrid-json", "--project", "p", "nowhere.json"), "There is no file nowhere.json"),
        (("--from", "gogrid-json", "--project", "p", "-", "-"), "Standard input can be read once"),
        (("--project", "p", str(XML)), "Several files are read with --from only"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_a_sentence(
    command: Command, words: tuple[str, ...], sentence: str
) -> None:
    done = command("import", str(JSON), *words)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "system", ["gogrid-json", "gogrid-xml", "gogrid-csv", "comestri", "orange"]
)
def test_files_that_are_out_to_harm_end_in_rejects(
    command: Command, tmp_path: Path, system: str
) -> None:
    harm = (
        b'{"list":[' * 3_000 + b"\n",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><gogrid>&b;</gogrid>\n",
        b'"\xff\xfe\x00,\n',
        page(job(1, "Created"), {"id": "\ud800"}).encode(),
    )
    files = [text_file(tmp_path, text, f"{nth}.json") for nth, text in enumerate(harm)]
    rejects = ("--rejects", str(tmp_path / "rejects.ndjson"))
    done = command("import", *map(str, files), "--from", system, "--project", "p", *rejects)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    strict = command(
        "import", *map(str, files), "--from", system, "--project", "p", "--strict", *rejects
    )
    assert strict.returncode == 1
    assert "Nothing was imported" in strict.stdout
