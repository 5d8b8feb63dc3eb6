"""Signed notes: the example of the specification, the law, and everything that must not open."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import checkpoint, merkle, note
from ledger.checkpoint import BadCheckpoint, Checkpoint
from ledger.note import BadKey, BadNote, Signer, Verifier

# The example of C2SP's signed-note.
KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
ONE, TWO = Signer("example.com/log", b"1" * 32), Signer("example.com/log", b"2" * 32)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n")).map(
    lambda text: text + "\n"
)


def test_the_example_of_the_specification() -> None:
    verifier = Verifier.parse(KEY)
    assert str(verifier) == KEY
    assert note.opened(NOTE, [verifier]).text == "This is an example message.\n"


@given(texts)
def test_what_is_signed_opens(text: str) -> None:
    written = note.signed(text, [ONE, TWO])
    assert note.opened(written, [ONE.verifier]) == note.Opened(text, (ONE.verifier,))
    both = [TWO.verifier, ONE.verifier]
    assert set(note.opened(written.encode(), both).by) == set(both)


def test_a_note_of_unknown_keys_does_not_open() -> None:
    with pytest.raises(BadNote, match="No known key"):
        note.opened(note.signed("text\n", [ONE]), [TWO.verifier])


def test_another_text_does_not_open() -> None:
    written = note.signed("size 7\n", [ONE])
    with pytest.raises(BadNote, match="does not fit"):
        note.opened(written.replace("7", "8"), [ONE.verifier])


def test_a_known_keys_wrong_signature_condemns_the_note() -> None:
    written = note.signed("size 7\n", [ONE, TWO])
    line = written.splitlines()[-1]
    stamp = bytearray(base64.b64decode(line.split()[2]))
    stamp[-1] ^= 1
    forged = written.replace(line.split()[2], base64.b64encode(stamp).decode())
    with pytest.raises(BadNote, match="does not fit"):
        note.opened(forged, [ONE.verifier, TWO.verifier])
    assert note.opened(forged, [ONE.verifier]).by == (ONE.verifier,)


@pytest.mark.parametrize(
    "broken",
    [
        *("", "text\n", "text\n\n", NOTE.removesuffix("\n"), NOTE + "\n", NOTE.replace("—", "-")),
        *(NOTE.replace("=\n", "\n"), "\x00" + NOTE, NOTE + "— a !\n", "x" * 70_000 + NOTE),
        NOTE + NOTE.splitlines()[-1] * 101,
    ],
)
def test_what_is_no_note_does_not_open(broken: str) -> None:
    with pytest.raises(BadNote):
        note.opened(broken, [Verifier.parse(KEY)])
    with pytest.raises(BadNote):
        note.opened(b"\xff", [Verifier.parse(KEY)])


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "a", "a+b+c", KEY.replace("530d903a", "530d903b"), KEY.replace("Aeky", "Beky")),
        *(KEY[:-4], KEY.replace("example.com", "example com")),
    ],
)
def test_what_is_no_key_is_refused(wrong: str) -> None:
    with pytest.raises(BadKey):
        Verifier.parse(wrong)


def test_a_signer_shows_nothing_of_its_key() -> None:
    assert "1111" not in repr(ONE)
    with pytest.raises(BadKey):
        Signer("a", b"short")
    with pytest.raises(BadNote):
        note.signed("no end", [ONE])


@given(st.integers(0, 10**18 - 1), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_is_its_text(size: int, root: bytes) -> None:
    told = Checkpoint("example.com/log", size, root)
    assert Checkpoint.parse(str(told)) == told
    written = note.signed(str(told), [ONE])
    assert checkpoint.opened(written, [ONE.verifier], origin="example.com/log") == told


@pytest.mark.parametrize(
    "text",
    [
        *("", "a\n1\n", "a\n01\n{}\n", "a\n-1\n{}\n", "a\n1\n{}", "a\n1\nAAAA\n", "a\n1\n?\n"),
        *("\n1\n{}\n", "a\n1\n{}\n\nb\n", "a\n٣\n{}\n"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    root = base64.b64encode(merkle.EMPTY).decode()
    with pytest.raises(BadCheckpoint):
        Checkpoint.parse(text.format(root))


def test_the_checkpoint_of_another_log_is_refused() -> None:
    written = note.signed(str(Checkpoint("example.com/log", 0, merkle.EMPTY)), [ONE])
    with pytest.raises(BadCheckpoint, match="not of elsewhere"):
        checkpoint.opened(written, [ONE.verifier], origin="elsewhere")
