"""The secret: made once, read back, derived from, never shown."""

from __future__ import annotations

import os
import secrets
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.secret import SECRET_BYTES, Secret, Unsealable, read, read_or_make
from ledger.errors import Misconfigured

ROOT = bytes(range(SECRET_BYTES))
SECRET = Secret(ROOT)


def test_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret"
    old = os.umask(0)
    try:
        made = read_or_make(path)
    finally:
        os.umask(old)
    found = path.stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_size == SECRET_BYTES
    assert read_or_make(path).hash("x") == made.hash("x") == read(path).hash("x")
    assert [file.name for file in path.parent.iterdir()] == ["secret"]


def _hash_under(path: Path) -> bytes:
    return read_or_make(path).hash("x")


def test_many_processes_make_one(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as processes:
        hashes = set(processes.map(_hash_under, [tmp_path / "secret"] * 32))
    assert len(hashes) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


def test_hexadecimal_digits_are_the_same_secret(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(ROOT)
    (tmp_path / "hex").write_text(ROOT.hex().upper() + "\n")
    assert read(tmp_path / "raw").hash("x") == read(tmp_path / "hex").hash("x")


@pytest.mark.parametrize(
    "content", [b"", b"short", bytes(31), bytes(33), b"zz" * 32, "é".encode() * 32]
)
def test_anything_else_is_no_secret(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match="holds no secret"):
        read(path)
    assert path.read_bytes() == content, "a file that somebody put there is never replaced"


def test_missing_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        read(tmp_path / "secret")
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be made"):
        read_or_make(tmp_path / "file" / "secret")


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_opens_what_it_sealed(text: str, name: str) -> None:
    sealed = SECRET.seal(text, bound_to=name)
    assert SECRET.open(sealed, bound_to=name) == text
    assert sealed != SECRET.seal(text, bound_to=name)
    with pytest.raises(Unsealable):
        SECRET.open(sealed, bound_to=name + "x")


@given(st.integers(0, 28 + len("secret")), st.integers(1, 255))
def test_one_changed_byte_does_not_open(place: int, change: int) -> None:
    sealed = bytearray(SECRET.seal("secret", bound_to="key"))
    sealed[place] ^= change
    with pytest.raises(Unsealable):
        SECRET.open(bytes(sealed), bound_to="key")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(12), b"\x02" + bytes(40)])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(Unsealable):
        SECRET.open(sealed, bound_to="key")


def test_another_secret_agrees_in_nothing() -> None:
    other = Secret(secrets.token_bytes(SECRET_BYTES))
    assert other.hash("x") != SECRET.hash("x")
    assert other.checksum("x") != SECRET.checksum("x")
    with pytest.raises(Unsealable):
        other.open(SECRET.seal("x", bound_to="key"), bound_to="key")
    assert SECRET.hash("x") != SECRET.checksum("x"), "each purpose has a key of its own"


def test_derivation_never_changes() -> None:
    """Stored hashes outlive versions: these values are for ever."""
    assert (
        SECRET.hash("x").hex() == "7770939e83b749317c5a648cf76403838c4338095a6f82722b479bdbe4461a34"
    )
    assert (
        SECRET.checksum("x").hex()
        == "182f69dcf3eee2c48590241e14aaf121787eab379c5c79dd2dd0e87ef99e06e4"
    )


def test_shows_nothing() -> None:
    shown = f"{SECRET!r} {SECRET} {vars(Secret)}"
    assert ROOT.hex() not in shown
    assert repr(ROOT) not in shown
    assert repr(SECRET) == "Secret(not shown)"
