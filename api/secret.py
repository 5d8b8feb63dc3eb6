"""The ledger's secret: 32 random bytes outside the database, from which every key that protects credentials is derived.

Invariants: one key per purpose, by HKDF; what is sealed opens only for the name it was bound to; no repr, log or error shows any of it.
The file is made whole or not at all, for its owner's eyes only. Errors: Misconfigured, Unsealable."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.errors import LedgerError, Misconfigured

SECRET_BYTES = 32  # as strong as the AES-256 and HMAC-SHA256 keys that are derived from it
_NONCE_BYTES = 12  # what AES-GCM is specified for
_SEAL = b"\x01"  # the form of a sealed text: AES-256-GCM, nonce first

_HASHING, _CHECKSUM, _SEALING = "hash of keys", "checksum of keys", "sealed secrets"


class Unsealable(LedgerError):
    """What was sealed does not open under the ledger's secret."""

    code = "unsealable"
    hint = "Was the secret changed or the row edited? Restore the secret, or issue a new key."


class Secret:
    """The root of all keys. Equal roots derive equal keys, so that processes need to share nothing but the file."""

    __slots__ = ("_aead", "_checksum", "_hashing")

    def __init__(self, root: bytes) -> None:
        if len(root) != SECRET_BYTES:
            raise Misconfigured(
                f"The secret has {len(root)} bytes, and it must have {SECRET_BYTES}."
            )
        self._hashing = _derived(root, _HASHING)
        self._checksum = _derived(root, _CHECKSUM)
        self._aead = AESGCM(_derived(root, _SEALING))

    def __repr__(self) -> str:
        return "Secret(not shown)"

    def hash(self, text: str) -> bytes:
        """The keyed hash under which a credential is kept: 32 bytes."""
        return hmac.digest(self._hashing, text.encode(), "sha256")

    def checksum(self, text: str) -> bytes:
        """A keyed checksum: 32 bytes of which a few characters tell a mistyped or made-up key from an issued one."""
        return hmac.digest(self._checksum, text.encode(), "sha256")

    def seal(self, text: str, *, bound_to: str) -> bytes:
        """Encrypt a text that must be had again later; twice the same text gives different bytes."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _SEAL + nonce + self._aead.encrypt(nonce, text.encode(), bound_to.encode())

    def open(self, sealed: bytes, *, bound_to: str) -> str:
        """The text that was sealed for that name. Raises Unsealable."""
        form, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if form != _SEAL:
                raise InvalidTag
            return self._aead.decrypt(nonce, rest, bound_to.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise Unsealable(f"The secret of {bound_to} does not open.") from error


def _derived(root: bytes, purpose: str) -> bytes:
    info = f"job ledger 1: {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=SECRET_BYTES, salt=None, info=info).derive(root)


def read(path: Path) -> Secret:
    """The secret in a file: 32 bytes, or the same as 64 hexadecimal digits. Raises Misconfigured."""
    try:
        found = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"The secret {path} cannot be read: {error.strerror}.") from error
    if len(found) != SECRET_BYTES:
        with suppress(ValueError):
            found = bytes.fromhex(found.decode("ascii").strip())
    if len(found) != SECRET_BYTES:
        raise Misconfigured(
            f"{path} holds no secret: it must be {SECRET_BYTES} bytes, or their hexadecimal digits."
        )
    return Secret(found)


def read_or_make(path: Path) -> Secret:
    """The secret in a file, which is made when missing; of many processes at once one makes it and all read the same."""
    if not path.exists():
        _make(path)
    return read(path)


def _make(path: Path) -> None:
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, does not replace a secret that another process made meanwhile.
        with suppress(FileExistsError):
            os.link(fresh, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise Misconfigured(f"The secret {path} cannot be made: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            fresh.unlink()
