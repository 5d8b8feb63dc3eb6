"""Signed notes, as C2SP's signed-note describes them: a text, and lines by which Ed25519 keys vouch for it.

Invariants: a note is opened only when a key that the caller knows vouches for it; a known key's wrong signature condemns the note, an unknown
one's is passed over; what `signed` wrote, `opened` reads. Errors: BadNote, BadKey."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import LedgerError

NOTE_BYTES_MAX = 64 * 1024  # a checkpoint and a hundred signatures are far less
SIGNATURES_MAX = 100  # lines; C2SP asks for 16 at least
_ED25519 = b"\x01"  # C2SP's identifier of plain Ed25519 signatures
_KEY_BYTES = 32
_SIGNATURE = re.compile("— ([^ ]+) ([A-Za-z0-9+/]+={0,2})")


class BadNote(LedgerError):
    """A note that nobody known vouches for, or that is none."""

    code = "bad_note"
    hint = "Compare it with the original byte by byte, and the keys with those that the ledger publishes."


class BadKey(LedgerError):
    """A name or a text that cannot be a key of notes."""

    code = "bad_note_key"
    hint = "A verifier's key reads NAME+8 hexadecimal digits+base64, on one line."


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that may vouch for notes. As text it is C2SP's vkey."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or re.search(r"[\s+\x00-\x1f]", self.name):
            raise BadKey(f"{self.name!r} cannot name a key: it is empty, or has a space or a plus.")
        if len(self.public) != _KEY_BYTES:
            raise BadKey(f"The key of {self.name} has {len(self.public)} bytes instead of 32.")

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """The key that a vkey says. Raises BadKey."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadKey(f"{text.strip()[:200]!r} is no verifier's key.") from error
        if key[:1] != _ED25519:
            raise BadKey(f"{text.strip()[:200]!r} is no Ed25519 key.")
        found = cls(name, key[1:])
        if found.key_id.hex() != key_id:
            raise BadKey(f"The id {key_id!r} does not belong to the key of {name}.")
        return found

    @property
    def key_id(self) -> bytes:
        """What a signature names its key by: 4 bytes."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        key = base64.b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    def accepts(self, text: str, signature: bytes) -> bool:
        """Whether the key made this signature of this text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """A private key that vouches for notes. Its repr shows nothing of it."""

    __slots__ = ("_private", "verifier")

    def __init__(self, name: str, private: bytes) -> None:
        if len(private) != _KEY_BYTES:
            raise BadKey(f"The private key of {name} has {len(private)} bytes instead of 32.")
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        self.verifier = Verifier(name, self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"Signer({self.verifier})"

    def line(self, text: str) -> str:
        """The signature line for a text."""
        signature = self.verifier.key_id + self._private.sign(text.encode())
        return f"— {self.verifier.name} {base64.b64encode(signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Opened:
    """What a note says, and who of the known keys vouches for it."""

    text: str
    by: tuple[Verifier, ...]


def signed(text: str, signers: Sequence[Signer]) -> str:
    """The note of a text, which ends in a newline. Raises BadNote for a text that no note can hold."""
    if not text.endswith("\n") or _unfit(text):
        raise BadNote("A note's text ends in a newline and holds no control character.")
    return text + "\n" + "".join(signer.line(text) for signer in signers)


def opened(note: str | bytes, known: Iterable[Verifier]) -> Opened:
    """The text of a note that a known key vouches for. Raises BadNote."""
    text, lines = _split(note)
    by_id = {(one.name, one.key_id): one for one in known}
    by: dict[Verifier, None] = {}
    for line in lines:
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise BadNote(f"{line[:100]!r} is no signature line.")
        try:
            stamp = base64.b64decode(match[2], validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadNote(f"The signature of {match[1][:100]} is not base64.") from error
        verifier = by_id.get((match[1], stamp[:4]))
        if verifier is None:
            continue
        if not verifier.accepts(text, stamp[4:]):
            raise BadNote(f"The signature of {verifier.name} does not fit the text.")
        by[verifier] = None
    if not by:
        raise BadNote("No known key vouches for the note.")
    return Opened(text, tuple(by))


def _split(note: str | bytes) -> tuple[str, list[str]]:
    try:
        written = note.decode() if isinstance(note, bytes) else note
        size = len(written.encode())
    except UnicodeError as error:
        raise BadNote("The note is not UTF-8.") from error
    if size > NOTE_BYTES_MAX:
        raise BadNote(f"The note has {size} bytes, and {NOTE_BYTES_MAX} is the most.")
    text, gap, rest = written.rpartition("\n\n")
    lines = rest.split("\n")
    if not gap or not rest.endswith("\n") or _unfit(written) or len(lines) > SIGNATURES_MAX:
        raise BadNote("This is no signed note: a text, an empty line, and signature lines.")
    return text + "\n", lines[:-1]


def _unfit(text: str) -> bool:
    return re.search(r"[\x00-\x09\x0b-\x1f]", text) is not None
