"""The tour: one job in every wording, then lists, counts and the feed.

Invariants: what is shown is what was answered, and it is checked against what the platform did. Errors: Unexpected."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from scripts.demonstration.client import Client
from scripts.demonstration.grid import JOB_GET
from scripts.demonstration.outline import json_lines, xml_lines
from scripts.demonstration.stage import Stage
from scripts.demonstration.unexpected import check

PAGE = 5  # jobs on a page of the list that is shown
FEED_SHOWN = 8
Facts = tuple[int, str, int, str, list[str]]


def one_job(stage: Stage) -> None:
    """The job, as the native API has it."""
    play = stage.shown
    stage.screen.section(
        "One job, native JSON",
        f"GET {stage.cloud.jobs}/{play.id}: it failed once, and its retry succeeded.",
    )
    answer = stage.cloud.get(f"{stage.cloud.jobs}/{play.id}")
    job = answer.json()
    check(
        (job["state"], job["attempts"], job["number"]) == ("Succeeded", 2, play.number),
        f"Job {play.number} should have succeeded at its second attempt: {job}",
    )
    check(
        answer.headers["etag"] == f'"{job["version"]}"',
        f"The ETag of job {play.number} is {answer.headers['etag']}, its version {job['version']}.",
    )
    stage.screen.listing(json_lines(job, stage.screen.width))
    history = stage.cloud.get(f"{stage.cloud.jobs}/{play.id}/history").json()["history"]
    check(history == job["history"], f"Job {play.number} has two histories.")
    stage.screen.section("Its history", "Every state it was ever in; nothing is overwritten.")
    columns = ("position", "state", "at", "kind", "actor", "note")
    stage.screen.table(columns, [[entry[column] for column in columns] for entry in history])


def in_gogrid_words(stage: Stage) -> None:
    """The same job to a client of GoGrid's API, in its three formats."""
    job = stage.job(stage.shown)
    states = [entry["state"] for entry in job["history"]]
    facts: Facts = (job["number"], job["owner"], job["attempts"], job["state"], states)
    for title, read, shown in (
        ("JSON", _json_facts, lambda answer: list(json_lines(answer.json(), stage.screen.width))),
        ("XML", _xml_facts, lambda answer: xml_lines(answer.text)),
        ("CSV", _csv_facts, lambda answer: answer.text.splitlines()),
    ):
        answer = stage.grid.get(JOB_GET, id=job["number"], format=title.lower())
        stage.screen.section(
            f"The same job, GoGrid {title}",
            f"GET {JOB_GET}?id={job['number']}&format={title.lower()}, signed: {len(answer.content)} bytes of"
            f" {answer.headers['content-type']}",
        )
        stage.screen.listing(shown(answer))
        found = read(answer.text)
        check(found == facts, f"GoGrid's {title} says {found}; the job is {facts}.")


def lists(stage: Stage) -> None:
    """A list by filters, page by page."""
    words: dict[str, Any] = {
        "type": "VirtualServer",
        "state": ["Succeeded", "Failed"],
        "sort": "-updated",
        "limit": PAGE,
        "count": "exact",
    }
    answer = stage.cloud.get(stage.cloud.jobs, **words)
    page = answer.json()
    stage.screen.section(
        "A list",
        f"GET {answer.request.url.raw_path.decode()}: {page['total']} jobs match, {PAGE} a page.",
    )
    columns = ("number", "state", "command", "object", "owner", "attempts", "updated_at")
    stage.screen.table(columns, [[job[column] for column in columns] for job in page["jobs"]])
    stage.screen.say(f"next: {page['next']}")
    check(page["next"] is not None, f"The list of {page['total']} jobs has no next page.")
    check('rel="next"' in answer.headers.get("link", ""), "The page's Link header is missing.")
    listed, following = page["jobs"], page["next"]
    while following:
        page = stage.cloud.get(following).json()
        listed, following = listed + page["jobs"], page["next"]
    wanted = {
        play.number
        for play in stage.simulation.plays
        if play.plan.job["type"] == "VirtualServer" and play.state in words["state"]
    }
    numbers = [job["number"] for job in listed]
    check(
        len(numbers) == len(set(numbers)) == page["total"] and set(numbers) == wanted,
        f"The pages together hold {sorted(numbers)}; the platform's jobs are {sorted(wanted)}.",
    )
    stage.screen.say(f"All pages together: {len(numbers)} jobs, none twice, none missing.")


def counts(stage: Stage) -> None:
    """How many jobs there are in each state."""
    stage.screen.section("Counts", f"GET {stage.cloud.counts}, and the other tenant's.")
    rows = []
    states: list[str] = []
    for project, client in stage.clients.items():
        found = client.get(client.counts).json()
        states = list(found["states"])
        wanted = stage.simulation.states(project)
        check(
            {state: jobs for state, jobs in found["states"].items() if jobs} == dict(wanted),
            f"The counts of {project} are {found['states']}; the platform's are {dict(wanted)}.",
        )
        rows.append([project, *found["states"].values(), found["total"]])
    stage.screen.table(("project", *states, "total"), rows)


def feed(stage: Stage) -> None:
    """Every event, in order, from the start."""
    positions = {project: _positions(client) for project, client in stage.clients.items()}
    for project, found in positions.items():
        wanted = stage.simulation.events(project)
        check(
            len(found) == wanted and found == sorted(set(found)),
            f"The feed of {project} has {len(found)} events; {wanted} were acknowledged.",
        )
    both = sorted(position for found in positions.values() for position in found)
    check(
        both == list(range(1, len(both) + 1)), "Positions are missing from the two feeds together."
    )
    cloud = positions[stage.cloud.project]
    after = cloud[-FEED_SHOWN - 1]
    stage.screen.section(
        "The feed", f"GET {stage.cloud.events}?after={after}: what came after that position."
    )
    columns = ("position", "event", "job", "version", "recorded_at", "note")
    latest = stage.cloud.get(stage.cloud.events, after=after).json()["events"]
    stage.screen.table(columns, [[event[column] for column in columns] for event in latest])
    stage.screen.say(
        f"Both feeds from the start: {len(both)} events, positions 1 to {both[-1]}, none missing, none twice."
    )


def _positions(client: Client) -> list[int]:
    found: list[int] = []
    following: str | None = f"{client.events}?after=0&limit=500"
    while following:
        page = client.get(following).json()
        found += [event["position"] for event in page["events"]]
        following = page["next"]
    return found


def _json_facts(text: str) -> Facts:
    body = json.loads(text)
    job = body["list"][0]
    states = [entry["state"]["name"] for entry in job["history"]]
    return job["id"], job["owner"], job["attempts"], job["currentstate"]["name"], states


def _xml_facts(text: str) -> Facts:
    job = ET.fromstring(text).find("response/list/object")
    assert job is not None

    def said(path: str) -> str:
        return job.findtext(path) or ""

    named = "object/attribute[@name='name']"
    history = job.findall("attribute[@name='history']/list/object")
    states = [entry.findtext(f"attribute[@name='state']/{named}") or "" for entry in history]
    number, attempts = said("attribute[@name='id']"), said("attribute[@name='attempts']")
    state = said(f"attribute[@name='currentstate']/{named}")
    return int(number), said("attribute[@name='owner']"), int(attempts), state, states


def _csv_facts(text: str) -> Facts:
    _, columns, line = text.splitlines()
    names = columns.removeprefix("# ").split(",")
    row = dict(zip(names, next(csv.reader(io.StringIO(line))), strict=False))
    entries = sum(name.endswith(".state.name") for name in names)
    states = [row[f"history.{nth}.state.name"] for nth in range(1, entries + 1)]
    return int(row["id"]), row["owner"], int(row["attempts"]), row["currentstate.name"], states


TOUR: tuple[Callable[[Stage], None], ...] = (one_job, in_gogrid_words, lists, counts, feed)
