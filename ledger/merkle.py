"""The Merkle tree of RFC 6962: its hashes, roots, inclusion proofs and consistency proofs.

Invariants: pure; a proof is a tuple of 32-byte hashes in the order of RFC 6962, section 2.1; what was proved, `verify_*` accepts, and nothing
else. Units: indexes count leaves from 0, levels from the leaves up. Errors: ValueError for a question that no tree of that size has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY = sha256(b"").digest()

# The hash of the perfect subtree of 2**level leaves that is the index-th of its level.
Node = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return sha256(b"\x01" + left + right).digest()


def folded(hashes: bytes) -> bytes:
    """The root of a perfect subtree, from the concatenated hashes of one of its levels. Their number is a power of two."""
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), 2 * HASH_BYTES)
        hashes = b"".join(
            [sha256(b"\x01" + hashes[at : at + 2 * HASH_BYTES]).digest() for at in pairs]
        )
    return hashes


def root(size: int, node: Node) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return _range(0, size, node) if size else EMPTY


def inclusion(index: int, size: int, node: Node) -> tuple[bytes, ...]:
    """The proof that a leaf is in the tree of that size."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    return tuple(_range(*span, node) for span in _path(index, 0, size))


def consistency(old: int, size: int, node: Node) -> tuple[bytes, ...]:
    """The proof that the tree of the first `old` leaves is the beginning of the tree of that size."""
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} leaves has no beginning of {old}")
    return tuple(_range(*span, node) for span in _subproof(old, 0, size, whole=True)) if old else ()


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes
) -> bool:
    """Whether the proof leads from the leaf's hash to the root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == expected


def verify_consistency(
    old: int, size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the proof shows that the old tree is the beginning of the new one (RFC 9162, section 2.1.4.2)."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY
    # Where the old tree is one perfect subtree, its root is the first hash of the proof.
    steps = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not steps:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


class Growing:
    """A tree that only grows, of which nothing is kept but its perfect subtrees: one hash a level at most."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Add a leaf's hash at the end."""
        level = 0
        while self._peaks and self._peaks[-1][0] == level:
            leaf = node_hash(self._peaks.pop()[1], leaf)
            level += 1
        self._peaks.append((level, leaf))
        self.size += 1

    @property
    def root(self) -> bytes:
        """Its root as it is now."""
        if not self._peaks:
            return EMPTY
        *higher, (_, found) = self._peaks
        for _, peak in reversed(higher):
            found = node_hash(peak, found)
        return found


def _range(start: int, end: int, node: Node) -> bytes:
    """The hash of the leaves [start, end), where a perfect subtree at least as large begins at `start`."""
    found: bytes | None = None
    for level, index in reversed(list(_peaks(start, end))):
        peak = node(level, index)
        found = peak if found is None else node_hash(peak, found)
    assert found is not None
    return found


def _peaks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The perfect subtrees that the leaves [start, end) consist of, from left to right."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _half(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _path(index: int, start: int, end: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    while end - start > 1:
        middle = start + _half(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def _subproof(old: int, start: int, end: int, *, whole: bool) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    while old != end:
        middle = start + _half(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start, whole = middle, False
    return ([] if whole else [(start, end)]) + spans[::-1]
