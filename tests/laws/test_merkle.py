"""Laws of the Merkle tree: the definition of RFC 6962, its proofs, and the roots that every implementation of it must reach.

Invariants: what is expected comes from the recursive definition, written here anew. Seen red: a proof that leaves out its last hash, and leaves
hashed without their prefix."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle

# The leaves and roots by which implementations of Certificate Transparency are compared.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        *("", "00", "10", "2021", "3031", "40414243"),
        *("5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
sizes = st.integers(0, 70)


def leaves(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


def defined(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    half = 1
    while half * 2 < len(entries):
        half *= 2
    return sha256(b"\x01" + defined(entries[:half]) + defined(entries[half:])).digest()


def node_of(entries: list[bytes]) -> merkle.Node:
    def node(level: int, index: int) -> bytes:
        assert (index + 1) << level <= len(entries), "only whole subtrees may be asked for"
        return defined(entries[index << level : (index + 1) << level])

    return node


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_known_roots(size: int) -> None:
    assert merkle.root(size, node_of(LEAVES)).hex() == ROOTS[size]


@given(sizes)
def test_the_root_is_the_definition_however_it_is_made(size: int) -> None:
    entries = leaves(size)
    growing = merkle.Growing()
    for entry in entries:
        growing.add(merkle.leaf_hash(entry))
    assert merkle.root(size, node_of(entries)) == growing.root == defined(entries)
    assert growing.size == size


@given(st.integers(0, 8))
def test_a_perfect_subtree_is_the_fold_of_its_leaves(level: int) -> None:
    entries = leaves(1 << level)
    assert merkle.folded(b"".join(map(merkle.leaf_hash, entries))) == defined(entries)


@given(st.data())
def test_inclusion_is_proved_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    entries = leaves(size)
    proof = merkle.inclusion(index, size, node_of(entries))
    root, leaf = defined(entries), merkle.leaf_hash(entries[index])
    assert merkle.verify_inclusion(leaf, index, size, proof, root)
    assert not merkle.verify_inclusion(sha256(b"?").digest(), index, size, proof, root)
    assert not merkle.verify_inclusion(leaf, index, size, (*proof, root), root)
    assert not merkle.verify_inclusion(leaf, index, size, proof, sha256(root).digest())
    other = data.draw(st.integers(-1, size + 1).filter(lambda at: at != index))
    assert not merkle.verify_inclusion(leaf, other, size, proof, root)
    if proof:
        assert not merkle.verify_inclusion(leaf, index, size, proof[:-1], root)


@given(st.data())
def test_consistency_is_proved_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(sizes)
    old = data.draw(st.integers(0, size))
    entries = leaves(size)
    before, after = defined(entries[:old]), defined(entries)
    proof = merkle.consistency(old, size, node_of(entries))
    assert merkle.verify_consistency(old, size, before, after, proof)
    assert not merkle.verify_consistency(old, size, before, after, (*proof, after))
    if old:
        forged = defined([b"?", *entries[1:]])
        assert not merkle.verify_consistency(old, size, before, forged, proof)
        assert not merkle.verify_consistency(old, size, sha256(before).digest(), after, proof)
    for at in range(len(proof)):
        wrong = (*proof[:at], sha256(proof[at]).digest(), *proof[at + 1 :])
        assert not merkle.verify_consistency(old, size, before, after, wrong)
        assert not merkle.verify_consistency(old, size, before, after, proof[:at])


def test_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        merkle.inclusion(3, 3, node_of(leaves(3)))
    with pytest.raises(ValueError, match="no beginning"):
        merkle.consistency(4, 3, node_of(leaves(3)))
    assert not merkle.verify_inclusion(merkle.EMPTY, 0, 0, (), merkle.EMPTY)
    assert not merkle.verify_consistency(2, 1, merkle.EMPTY, merkle.EMPTY, ())
