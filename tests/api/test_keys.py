"""API keys: their form, their issue, and what the database keeps of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import keys
from api.faults import Unauthenticated
from api.operation import Scope
from api.secret import Secret
from ledger.connection import Role, conninfo
from ledger.errors import Invalid

SECRET = Secret(bytes(range(32)))
READ = (Scope.JOBS_READ,)
Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    """As the database's owner."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def test_a_key_has_its_parts(connection: Connection) -> None:
    issued = keys.create(connection, SECRET, project="p", scopes=READ)
    prefix, key_id, random, _ = issued.key.split("_")
    assert (prefix, key_id) == ("jl", issued.stored.key_id)
    assert len(random) * math.log2(62) >= 256
    assert keys.parse(issued.key, SECRET) == key_id
    again = keys.create(connection, SECRET, project="p", scopes=READ)
    assert again.stored.key_id != key_id
    assert again.key.split("_")[2] != random


def test_the_database_keeps_no_key(connection: Connection) -> None:
    issued = keys.create(connection, SECRET, project="p", scopes=READ, signature="md5")
    assert issued.shared_secret is not None
    row = connection.execute(
        "SELECT k::text, k.key_hash, k.sealed_secret FROM access.keys k"
    ).fetchone()
    assert row is not None
    everything = row[0] + repr(row[1:])
    for part in (issued.key.split("_")[2], issued.key.split("_")[3], issued.shared_secret):
        assert part not in everything
        assert part.encode().hex() not in everything
    assert row[1] == SECRET.hash(issued.key)
    assert SECRET.open(row[2], bound_to=issued.stored.key_id) == issued.shared_secret


def test_nothing_shows_a_key(connection: Connection) -> None:
    issued = keys.create(connection, SECRET, project="p", scopes=READ, signature="md5")
    shown = f"{issued!r} {issued} {keys.listed(connection)!r}"
    assert issued.stored.key_id in shown
    assert issued.key.split("_")[2] not in shown
    assert str(issued.shared_secret) not in shown
    assert repr(issued.stored.key_hash) not in shown


def _key() -> str:
    random = "A" * 43
    return f"jl_0123456789abcdef_{random}_{keys._checksum('0123456789abcdef', random, SECRET)}"


@given(st.integers(3, 69), st.sampled_from("0123456789abcdefXYZ"))
def test_every_typo_is_told(place: int, character: str) -> None:
    key = _key()
    assert keys.parse(key, SECRET) == "0123456789abcdef"
    mistyped = key[:place] + character + key[place + 1 :]
    if mistyped == key:
        return
    with pytest.raises(Unauthenticated):
        keys.parse(mistyped, SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "jl",
        "jl_",
        _key()[:-1],
        _key() + "0",
        _key() + "\n",
        " " + _key(),
        _key().upper(),
        _key().replace("A", "é"),
    ],
)
def test_other_texts_are_no_keys(text: str) -> None:
    with pytest.raises(Unauthenticated, match=r"not an API key|checksum"):
        keys.parse(text, SECRET)


def test_a_key_of_another_ledger_is_told_without_a_look_up() -> None:
    with pytest.raises(Unauthenticated, match="checksum"):
        keys.parse(_key(), Secret(bytes(32)))


def test_list_in_order_and_by_project(connection: Connection) -> None:
    made = [
        keys.create(connection, SECRET, project=project, scopes=READ, name=name).stored
        for project, name in [("b", "1"), ("a", "2"), ("b", "3")]
    ]
    assert [key.name for key in keys.listed(connection)] == ["2", "1", "3"]
    assert list(keys.listed(connection, project="b")) == [made[0], made[2]]
    assert keys.listed(connection, project="c") == ()


def test_scopes_name_and_expiry(connection: Connection) -> None:
    scopes = (Scope.JOBS_WRITE, Scope.JOBS_READ, Scope.JOBS_WRITE)
    stored = keys.create(
        connection, SECRET, project="p", scopes=scopes, name="Anna", expires_in_days=1.5
    ).stored
    assert stored.scopes == ("jobs:read", "jobs:write")
    assert (stored.name, stored.project, stored.signing, stored.revoked_at) == (
        "Anna",
        "p",
        False,
        None,
    )
    assert stored.expires_at is not None
    assert abs(stored.expires_at - stored.created_at - timedelta(days=1.5)) < timedelta(seconds=1)
    assert stored.refusal(stored.expires_at - timedelta(microseconds=1)) is None
    assert stored.refusal(stored.expires_at) == "expired"
    plain = keys.create(connection, SECRET, project="p", scopes=scopes).stored
    assert plain.expires_at is None
    assert re.fullmatch("key [0-9a-f]{16}", plain.name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"project": ""},
        {"project": "x" * 513},
        {"project": "世" * 171},
        {"name": "世" * 171},
        {"project": "a\x00b"},
        {"project": "a\nb"},
        {"name": ""},
        {"name": "a\x1b[31m"},
        {"scopes": ()},
        {"scopes": (Scope.PUBLIC,)},
        {"expires_in_days": 0},
        {"expires_in_days": -1},
        {"expires_in_days": math.nan},
        {"expires_in_days": 1e9},
    ],
)
def test_what_makes_no_sense_is_refused(connection: Connection, wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        keys.create(connection, SECRET, **{"project": "p", "scopes": READ, **wrong})
    assert keys.listed(connection) == ()


def test_revoke_once_and_again(connection: Connection) -> None:
    issued = keys.create(connection, SECRET, project="p", scopes=READ).stored
    other = keys.create(connection, SECRET, project="p", scopes=READ).stored
    revoked = keys.revoke(connection, issued.key_id)
    assert revoked.refusal(issued.created_at) == "revoked"
    assert keys.revoke(connection, issued.key_id) == revoked
    assert keys.listed(connection) == (revoked, other)


def test_revoke_nobody(connection: Connection) -> None:
    with pytest.raises(keys.UnknownKey, match="0123456789abcdef"):
        keys.revoke(connection, "0123456789abcdef")
    with pytest.raises(keys.UnknownKey) as told:
        keys.revoke(connection, _key())
    assert "AAAA" not in str(told.value), "a whole key, given by mistake, is not repeated"


def test_the_api_may_ask_for_a_key_it_knows_of_and_change_none(
    database: str, connection: Connection
) -> None:
    issued = keys.create(connection, SECRET, project="p", scopes=READ).stored
    with psycopg.connect(conninfo(database, Role.READER), autocommit=True) as reader:
        found = reader.execute(keys.SQL["find"], {"key_id": issued.key_id}).fetchone()
        assert found is not None
        assert found[0] == issued.key_id
        for forbidden in (
            lambda: keys.listed(reader),
            lambda: keys.revoke(reader, issued.key_id),
            lambda: keys.create(reader, SECRET, project="p", scopes=READ),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                forbidden()
