"""The notary: it signs what continues what it signed, and nothing else. Seen red: a notary that forgets its memory, and one that does not
ask for the proof."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger import checkpoint, merkle, note
from ledger.errors import Misconfigured
from ledger.notary import Notary, Refused
from ledger.note import Verifier

ORIGIN = "example.com/log"
NOW = datetime(2024, 1, 1, tzinfo=UTC)


class Leaves:
    """A tree of small leaves, and what a notary is asked with."""

    def __init__(self, *leaves: bytes) -> None:
        self._hashes = [merkle.leaf_hash(leaf) for leaf in leaves]

    def node(self, level: int, index: int) -> bytes:
        return merkle.folded(b"".join(self._hashes[index << level : (index + 1) << level]))

    def asks(self, notary: Notary, old: int) -> str:
        size = len(self._hashes)
        proof = merkle.consistency(min(old, size), size, self.node)
        return notary.sign(size, merkle.root(size, self.node), proof)


ONE = Leaves(b"a")
THREE = Leaves(b"a", b"b", b"c")
FORKED = Leaves(b"a", b"x", b"c", b"d")
FIVE = Leaves(b"a", b"b", b"c", b"d", b"e")


@pytest.fixture
def notary(tmp_path: Path) -> Notary:
    begun = Notary(tmp_path / "notary")
    begun.begin(ORIGIN)
    return begun


def verifiers(notary: Notary, name: str = ORIGIN) -> list[Verifier]:
    return [signer.verifier for signer in notary.signers(name)]


def test_it_signs_a_growing_log(notary: Notary) -> None:
    ONE.asks(notary, 0)
    THREE.asks(notary, 1)
    signed = FIVE.asks(notary, 3)
    memory = notary.memory()
    assert memory is not None
    found = checkpoint.opened(signed, verifiers(notary), origin=ORIGIN)
    assert (found.size, memory.last, memory.note) == (5, found, signed)


def test_the_same_tree_gets_the_same_note(notary: Notary) -> None:
    assert THREE.asks(notary, 0) == THREE.asks(notary, 3)


def test_what_was_set_back_is_refused(notary: Notary) -> None:
    FIVE.asks(notary, 0)
    with pytest.raises(Refused, match="set back"):
        THREE.asks(notary, 3)
    with pytest.raises(Refused, match="set back"):
        Leaves().asks(notary, 0)


def test_what_was_changed_is_refused(notary: Notary) -> None:
    THREE.asks(notary, 0)
    with pytest.raises(Refused, match="was changed"):
        FORKED.asks(notary, 3)
    with pytest.raises(Refused, match="was changed"):
        Leaves(b"a", b"b", b"x").asks(notary, 3)


def test_another_process_on_the_folder_knows_the_same(notary: Notary) -> None:
    FIVE.asks(notary, 0)
    with pytest.raises(Refused):
        THREE.asks(Notary(notary.folder), 3)


def test_a_lost_memory_is_no_new_beginning(notary: Notary) -> None:
    FIVE.asks(notary, 0)
    (notary.folder / "memory").unlink()
    with pytest.raises(Refused, match="memory is not in"):
        THREE.asks(notary, 0)


def test_what_was_signed_is_on_disk_for_its_owner_alone(notary: Notary) -> None:
    THREE.asks(notary, 0)
    for path in notary.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(notary.folder.stat().st_mode) == 0o700
    assert {path.name for path in notary.folder.iterdir()} == {"key-1", "lock", "memory"}


def test_a_memory_that_cannot_be_read_is_told(notary: Notary) -> None:
    for broken in ("", "{}", json.dumps({"epoch": 1, "origin": "a", "size": "x", "root": ""})):
        (notary.folder / "memory").write_text(broken)
        with pytest.raises(Misconfigured, match="cannot be read"):
            notary.memory()


def test_keys_are_rotated_while_both_sign(notary: Notary) -> None:
    (old,) = verifiers(notary)
    assert notary.add_key() == "key-2"
    signed = THREE.asks(notary, 0)
    _, new = verifiers(notary)
    for known in ([old], [new], [old, new]):
        assert set(note.opened(signed, known).by) == set(known)
    notary.retire_key("key-1")
    signed = FIVE.asks(notary, 3)
    assert note.opened(signed, [old, new]).by == (new,)
    assert notary.add_key() == "key-3"


def test_the_last_key_is_not_retired(notary: Notary) -> None:
    with pytest.raises(Misconfigured, match="only key"):
        notary.retire_key("key-1")
    with pytest.raises(Misconfigured, match="no key"):
        notary.retire_key("memory")


def test_another_log_begins_only_with_a_reason_that_is_signed(notary: Notary) -> None:
    FIVE.asks(notary, 0)
    for empty in ("", " ", "two\nlines"):
        with pytest.raises(Refused, match="reason"):
            notary.renew(2, f"{ORIGIN}/2", ORIGIN, empty, NOW)
    statement = notary.renew(2, f"{ORIGIN}/2", ORIGIN, "the disk was lost", NOW)
    # Who knows the old name's key can read it, and so can who knows the new one's.
    said = note.opened(statement, verifiers(notary)).text.splitlines()
    assert note.opened(statement, verifiers(notary, f"{ORIGIN}/2")).text.splitlines() == said
    assert said[1:3] == [ORIGIN, "5"]
    assert said[-3:] == [f"{ORIGIN}/2", NOW.isoformat(), "the disk was lost"]
    found = checkpoint.opened(THREE.asks(notary, 0), verifiers(notary, f"{ORIGIN}/2"))
    assert (found.origin, found.size) == (f"{ORIGIN}/2", 3)


def test_a_new_beginning_that_was_cut_off_is_said_once(notary: Notary) -> None:
    FIVE.asks(notary, 0)
    first = notary.renew(2, f"{ORIGIN}/2", ORIGIN, "restored", NOW)
    assert notary.renew(2, f"{ORIGIN}/2", ORIGIN, "restored again", NOW) == first


def test_a_notary_of_one_log_does_not_begin_another(notary: Notary) -> None:
    assert "example.com/b" in notary.begin("example.com/b"), "nothing was signed yet"
    THREE.asks(notary, 0)
    with pytest.raises(Refused, match="has signed another log"):
        notary.begin("example.com/c")


def test_without_a_key_nothing_is_signed(notary: Notary) -> None:
    (notary.folder / "key-1").unlink()
    with pytest.raises(Misconfigured, match="no key"):
        THREE.asks(notary, 0)
