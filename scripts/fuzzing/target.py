"""The target of a campaign: a running ledger, keys of one project there, and jobs that requests can be about.

Invariants: a credential is presented as the dialect's OpenAPI document says, so that a new dialect needs nothing here. Errors: KeyError for a
security scheme that nobody can present yet."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx

from api.batch.slice import ACTOR as LEDGER
from api.dialects.dialect import ApiKey, Dialect
from api.dialects.gogrid.signature import sign
from api.operation import Asked

JOBS = 12  # jobs that are there before anything is asked, two in each state


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential in a request."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keyring:
    """A key of a project, and one of the same project that signs: `api_key` and `secret`."""

    project: str
    key: str
    api_key: str
    secret: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send requests, as whom, and the jobs that are there: their ids and their numbers."""

    url: str
    keys: Keyring
    ids: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


def presented(dialect: Dialect, keys: Keyring) -> Presented:
    """A credential as the dialect's clients send it."""
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    for scheme in dialect.security.values():
        match scheme["type"], scheme.get("scheme", scheme.get("in")):
            case "http", "bearer":
                headers["Authorization"] = f"Bearer {keys.key}"
            case "http", "basic":
                headers["Authorization"] = _basic(dialect, keys.key)
            case "apiKey", "header":
                headers[scheme["name"]] = keys.key
            case "apiKey", "query":
                query[scheme["name"]] = _signed(keys)[scheme["name"]]
            case unknown:
                raise KeyError(f"Nobody knows how to present {unknown}.")
    return Presented(headers, query)


def _basic(dialect: Dialect, key: str) -> str:
    """As a name and a password, or the key itself: whichever the dialect understands."""
    both = base64.b64encode(f"client:{key}".encode()).decode()
    for word in (f"Basic {both}", f"Basic {key}"):
        if dialect.credential(Asked("GET", "/", headers={"authorization": word})) == ApiKey(key):
            return word
    raise KeyError(f"{dialect.name} does not understand its own Basic credentials.")


def _signed(keys: Keyring) -> Mapping[str, str]:
    return {"api_key": keys.api_key, "sig": sign(keys.api_key, keys.secret, int(time.time()))}


def peopled(url: str, keys: Keyring) -> Target:
    """A target with jobs in every state."""
    jobs = f"{url}/v1/projects/{keys.project}/jobs"
    lives: Sequence[Sequence[str]] = (
        *((), ("queued",), ("started",), ("started", "succeeded"), ("started", "failed")),
        ("canceled",),
    )
    ids, numbers = [], []
    with httpx.Client(headers={"Authorization": f"Bearer {keys.key}"}, timeout=60) as client:
        for nth in range(JOBS):
            told: dict[str, Any] = {"type": "VirtualServer", "object": f"vm {nth}", "owner": "ann"}
            made = client.post(jobs, json=told).raise_for_status().json()
            for event in lives[nth % len(lives)]:
                said = client.post(f"{jobs}/{made['id']}/events", json={"event": event})
                said.raise_for_status()
            ids.append(made["id"])
            numbers.append(str(made["number"]))
    return Target(url, keys, tuple(ids), tuple(numbers))


def accounted(target: Target) -> tuple[int, int]:
    """How many events the project has by now, and how many of them do not name principal, credential and request."""
    feed = f"{target.url}/v1/projects/{target.keys.project}/events"
    events = nobodys = after = 0
    with httpx.Client(headers={"Authorization": f"Bearer {target.keys.key}"}, timeout=60) as client:
        while page := client.get(feed, params={"after": after}).raise_for_status().json()["events"]:
            events, after = events + len(page), page[-1]["position"]
            # What the ledger itself says of a batch names the ledger and the batch's request.
            nobodys += sum(
                not (
                    one["actor"]
                    and one["request_id"]
                    and (one["credential_id"] or one["actor"] == LEDGER)
                )
                for one in page
            )
    return events, nobodys
