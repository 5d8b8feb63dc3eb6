"""The notary: signs checkpoints with keys, and by a memory, that are not in the database.

Invariants: it signs only what continues what it signed before, so that a rollback, a restored backup or a rewritten log cannot silently go on; what
it signs is in its memory, on disk, before anybody sees it; a lost memory is a refusal and never a new beginning. The way on is `renew`, which
begins another log and says why in a signed statement. Keys lie in the folder as `key-1`, `key-2`, ...: all of them sign.
Errors: Refused, Misconfigured."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ledger import merkle, note
from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError, Misconfigured
from ledger.note import Signer, Verifier

KEY_BYTES: Final = 32
_KEY: Final = re.compile(r"key-[1-9][0-9]*")
_NUMBER: Final = re.compile(r"key-([1-9][0-9]*)(\.retired)?")


class Refused(LedgerError):
    """The notary does not sign this."""

    code = "not_signed"
    hint = (
        "Compare the database with what was kept elsewhere: `jobledger verify --since CHECKPOINT`. Where it is right as it is, such as after a backup"
        " was restored, `jobledger checkpoint renew --reason WHY` begins another log and records why."
    )


@dataclass(frozen=True, slots=True)
class Memory:
    """What the notary knows of its log: the last checkpoint it signed, with the note, which is empty before the first; how the log began."""

    epoch: int
    last: Checkpoint
    note: str = ""
    statement: str = ""


class Notary:
    """A folder with keys and the memory. Several processes may work on it: one signs at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def memory(self) -> Memory | None:
        """What was signed last; None when there is no memory. Raises Misconfigured for one that cannot be read."""
        path = self.folder / "memory"
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            root = base64.b64decode(kept["root"], validate=True)
            last = Checkpoint(kept["origin"], int(kept["size"]), root)
            return Memory(int(kept["epoch"]), last, kept["note"], kept["statement"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Misconfigured(
                f"The notary's memory {path} cannot be read: {error}. Bring it back from a copy of the folder."
            ) from error

    def keys(self, *, retired: bool = False) -> dict[str, bytes]:
        """The private keys by the names of their files, the oldest first; on demand with those that sign no more."""
        found = {}
        names = [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
        pattern = _NUMBER if retired else _KEY
        for name in sorted(filter(pattern.fullmatch, names), key=_number):
            try:
                found[name] = bytes.fromhex((self.folder / name).read_text(encoding="ascii"))
            except (OSError, ValueError) as error:
                raise Misconfigured(
                    f"The notary's key {self.folder / name} cannot be read."
                ) from error
        return found

    def signers(self, name: str) -> tuple[Signer, ...]:
        """The keys under a name, ready to sign. Raises Misconfigured when there is none."""
        signers = tuple(Signer(name, private) for private in self.keys().values())
        if not signers:
            raise Misconfigured(
                f"The notary has no key in {self.folder}. Bring it back from a copy of the folder, or begin another log"
                " by `jobledger checkpoint renew --reason WHY`."
            )
        return signers

    def verifiers(self, names: Iterable[str]) -> tuple[Verifier, ...]:
        """What all keys that ever signed are known by, under these names."""
        private = self.keys(retired=True).values()
        return tuple(Signer(name, key).verifier for name in names for key in private)

    def add_key(self) -> str:
        """Make a further key, which signs from now on beside the others; the name of its file."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A retired key's number is not given again.
        numbers = [
            int(found[1])
            for path in self.folder.iterdir()
            if (found := _NUMBER.fullmatch(path.name))
        ]
        name = f"key-{max(numbers, default=0) + 1}"
        self._write(name, secrets.token_bytes(KEY_BYTES).hex())
        return name

    def retire_key(self, name: str) -> None:
        """Sign no more with a key. Its file stays, under another name. Raises Misconfigured when it is the last or unknown."""
        if name not in self.keys():
            raise Misconfigured(f"The notary has no key {name!r} in {self.folder}.")
        if len(self.keys()) == 1:
            raise Misconfigured(f"{name} is the notary's only key: add another one first.")
        (self.folder / name).rename(self.folder / f"{name}.retired")
        _settle(self.folder)

    def sign(self, size: int, root: bytes, proof: Sequence[bytes]) -> str:
        """The signed checkpoint of a tree. `proof`: that what was signed last is its beginning. Raises Refused."""
        with self._alone():
            memory = self.memory()
            if memory is None:
                raise Refused(
                    f"The notary's memory is not in {self.folder}, so it cannot know what it signed."
                )
            last = memory.last
            if size < last.size:
                raise Refused(
                    f"The log has {size} events, and {last.size} were signed: it was set back."
                )
            if not merkle.verify_consistency(last.size, size, last.root, root, proof):
                raise Refused(
                    f"The log of {size} events does not continue the one that was signed at {last.size}: it was changed."
                )
            if size == last.size and memory.note:
                return memory.note
            now = Checkpoint(last.origin, size, root)
            signed = note.signed(str(now), self.signers(last.origin))
            self._remember(replace(memory, last=now, note=signed))
            return signed

    def begin(self, origin: str) -> str:
        """Begin the first log of a ledger: the statement that says so. Raises Refused when there is a memory of one."""
        with self._alone():
            memory = self.memory()
            if memory is not None and (memory.note or memory.epoch > 1):
                raise Refused(
                    f"The notary in {self.folder} has signed another log, and this database has none."
                )
            if not self.keys():
                self.add_key()
            statement = note.signed(f"jobledger log begins\n{origin}\n", self.signers(origin))
            self._remember(Memory(1, Checkpoint(origin, 0, merkle.EMPTY), "", statement))
            return statement

    def renew(self, epoch: int, origin: str, before: str, reason: str, now: datetime) -> str:
        """Begin another log in place of what was signed: the statement that says what ended, and why, signed under both names.

        `before`: the origin that the database knows, should the memory be lost."""
        if not reason.strip() or not reason.isprintable():
            raise Refused("Say the reason in one line of text.")
        with self._alone():
            if not self.keys():
                self.add_key()
            memory = self.memory()
            if memory is not None and memory.epoch == epoch and not memory.note:
                return memory.statement  # an earlier try ended before the database had it
            ended = str(memory.last) if memory else f"{before}\nlast size unknown\nno memory\n"
            text = f"jobledger log begins anew\n{ended}{origin}\n{now.isoformat()}\n{reason}\n"
            names = dict.fromkeys((memory.last.origin if memory else before, origin))
            signers = [signer for name in names for signer in self.signers(name)]
            statement = note.signed(text, signers)
            self._remember(Memory(epoch, Checkpoint(origin, 0, merkle.EMPTY), "", statement))
            return statement

    def _remember(self, memory: Memory) -> None:
        last = memory.last
        kept: dict[str, Any] = {
            "epoch": memory.epoch,
            "origin": last.origin,
            "size": last.size,
            "root": base64.b64encode(last.root).decode(),
            "note": memory.note,
            "statement": memory.statement,
        }
        self._write("memory", json.dumps(kept))

    def _write(self, name: str, text: str) -> None:
        """A file made whole or not at all, on disk, for its owner's eyes only."""
        fresh = self.folder / f".{name}.{secrets.token_hex(4)}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / name)
        _settle(self.folder)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _number(name: str) -> int:
    return int(name.removesuffix(".retired").removeprefix("key-"))


def _settle(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
