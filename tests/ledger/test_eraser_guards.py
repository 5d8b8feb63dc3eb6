"""Who may erase and what: only the eraser, through one function, and that forges nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import psycopg
import pytest

from ledger.connection import Role, conninfo
from ledger.eraser import Order
from ledger.erasure import MARK, Person
from ledger.errors import Invalid
from tests.fix_erasure import ANN, OWNED, Scene, bodies

FORGERIES: dict[str, tuple[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "another value": (2, lambda body: body | {"actor": "mallory"}),
    "a word that decides": (1, lambda body: body | {"event": body["event"] | {"type": MARK}}),
    "a number": (1, lambda body: body | {"event": body["event"] | {"number": MARK}}),
    "a key less": (1, lambda body: {"actor": body["actor"], "event": {"type": "T", "owner": ANN}}),
    "a key more": (2, lambda body: body | {"request_id": MARK}),
    "a message less": (
        3,
        lambda body: body | {"event": {"messages": body["event"]["messages"][:1]}},
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_the_eraser_can_forge_nothing(erasure: Scene, name: str) -> None:
    position, forge = FORGERIES[name]
    kept = bodies(erasure)
    forged = json.dumps(forge(kept[position][0]))
    version = position
    body = {
        "actor": "dpo",
        "event": {
            "reason": "r",
            "bodies": [{"version": version, "sha256": sha256(forged.encode()).hexdigest()}],
        },
    }
    event = [
        0,
        str(OWNED),
        4,
        "job.erased",
        "00000000-0000-0000-0000-00000000000f",
        None,
        json.dumps(body),
        "p",
        None,
    ]
    batch = {"events": [event], "streams": [[0, str(OWNED), 3, "p"]], "identities": [], "keys": []}
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no erasure"):
        erasure.erasing.execute(
            "SELECT ledger.erase(%s, %s)", (json.dumps([[position, forged]]), json.dumps(batch))
        )
    assert bodies(erasure) == kept


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ERASER])
def test_only_the_eraser_may(erasure: Scene, role: Role) -> None:
    with psycopg.connect(conninfo(erasure.dsn, role), autocommit=True) as connection:
        for call in ("ledger.erase('[]', '{}')", "ledger.erase_beside('p', 'x')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT {call}")
    for change in ("UPDATE ledger.stored_events SET salt = NULL", "DELETE FROM ledger.identities"):
        with (
            psycopg.connect(erasure.dsn, autocommit=True) as owner,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            owner.execute(change)


def test_what_is_kept_must_not_name_the_person() -> None:
    told: dict[str, Any] = {"project": "p", "person": Person(ANN), "by": "dpo", "reason": "why"}
    for asked in (
        {"by": ANN},
        {"reason": f"{ANN} asked"},
        {"reason": " "},
        {"person": Person(" ")},
        {"person": Person("erased")},
    ):
        with pytest.raises(Invalid):
            Order(**told | asked)
