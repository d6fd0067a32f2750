"""The log's tree against RFC 6962 by hashlib, with bundles brought back from "disk"."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek import _core
from tests.core import trees

BUNDLE = 256
ENTRIES = [b"%d" % i for i in range(1000)]
LEAVES = [trees.log_leaf(entry) for entry in ENTRIES]


def bundle(number: int) -> tuple[int, bytes]:
    return number, b"".join(LEAVES[number * BUNDLE : (number + 1) * BUNDLE])


@dataclass
class Kept:
    """A log of the first ``size`` entries, and what its keeper has on disk."""

    size: int
    recent: int = 0
    log: _core.Log = field(init=False)
    full: bytes = b""

    def __post_init__(self) -> None:
        self.log = _core.Log(recent=self.recent)
        for start in range(0, self.size, 97):
            part = ENTRIES[start : min(start + 97, self.size)]
            size, full = self.log.append(trees.framed(part, 2))
            assert size == start + len(part)
            self.full += full

    def bundles(self, positions: list[int], size: int) -> list[tuple[int, bytes]]:
        return [bundle(number) for number in self.log.missing(positions, size)]


sizes = st.integers(1, len(ENTRIES))


@given(sizes, st.integers(0, 600), st.data())
def test_proofs_equal_the_definition_and_verify(total: int, recent: int, data: st.DataObject) -> None:
    kept = Kept(total, recent)
    size = data.draw(st.integers(1, total))
    index = data.draw(st.integers(0, size - 1))
    leaves, given_ = LEAVES[:size], kept.bundles([index], size)
    root = kept.log.root(size, given_)
    assert root == trees.log_root(leaves)
    path = kept.log.inclusion(index, size, given_)
    assert path == trees.inclusion(leaves, index, trees.log_node)
    assert _core.verify_inclusion(root, size, index, LEAVES[index], path)
    proof = kept.log.consistency(index + 1, size, given_)
    assert proof == trees.consistency(leaves, index + 1, trees.log_node)
    assert _core.verify_consistency(index + 1, trees.log_root(leaves[: index + 1]), size, root, proof)


@given(sizes, st.data())
def test_a_range_proof_gives_every_path(size: int, data: st.DataObject) -> None:
    kept = Kept(size)
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, min(size, start + 40)))
    given_ = kept.bundles([start, end - 1], size)
    nodes = kept.log.range_proof(start, end, size, given_)
    assert nodes == trees.beside(LEAVES[:size], start, end, trees.log_node)
    leaves = kept.log.leaves(start, end, given_)
    assert leaves == b"".join(LEAVES[start:end])
    root, paths = _core.range_paths(size, start, leaves, nodes)
    assert root == trees.log_root(LEAVES[:size])
    for index, path in zip(range(start, end), paths, strict=True):
        assert _core.verify_inclusion(root, size, index, LEAVES[index], path)


@given(sizes, st.integers(0, 600), st.data())
def test_restart_and_truncation(size: int, recent: int, data: st.DataObject) -> None:
    kept = Kept(size, recent)
    tail = b"".join(LEAVES[size - size % BUNDLE : size])
    again = _core.Log(kept.full, tail, recent=recent)
    assert (again.size, again.root(size)) == (size, trees.log_root(LEAVES[:size]))
    cut = data.draw(st.integers(0, size))
    again.truncate(cut, b"".join(LEAVES[cut - cut % BUNDLE : cut]))
    assert (again.size, again.root(cut)) == (cut, trees.log_root(LEAVES[:cut]))
    again.append(trees.framed(ENTRIES[cut:size], 2))
    assert again.root(size) == trees.log_root(LEAVES[:size])


def test_tiles() -> None:
    log = Kept(1000).log
    assert log.tile(0, 3, 232) == b"".join(LEAVES[768:1000])
    assert log.tile(0, 1, 256, [bundle(1)]) == b"".join(LEAVES[256:512])
    assert log.tile(1, 0, 3) == b"".join(trees.log_root(LEAVES[i : i + 256]) for i in (0, 256, 512))
    for level, index, width in (
        (0, 3, 233),
        (0, 4, 1),
        (0, 0, 0),
        (0, 0, 257),
        (1, 0, 4),
        (2, 0, 1),
        (99, 0, 1),
    ):
        with pytest.raises(ValueError, match="outside the log"):
            log.tile(level, index, width)


def test_a_bundle_that_is_not_at_hand_or_wrong() -> None:
    log = Kept(1000).log
    assert log.missing([3, 300, 999], 1000) == [0, 1]
    with pytest.raises(LookupError, match="bundle 0"):
        log.inclusion(3, 1000)
    with pytest.raises(ValueError, match="bundle 0"):
        log.inclusion(3, 1000, [(0, bundle(1)[1])])
    with pytest.raises(ValueError, match="bundle 0"):
        log.inclusion(3, 1000, [(0, bytes(32))])
    with pytest.raises(ValueError, match="multiple of 32"):
        log.inclusion(3, 1000, [(0, bytes(31))])


def test_arguments_outside_the_log() -> None:
    log = Kept(10).log
    assert log.root(0) == trees.log_root([])
    assert log.leaves(4, 4) == b""
    calls: list[Callable[[], object]] = [
        lambda: log.root(11),
        lambda: log.root(-1),
        lambda: log.inclusion(0, 0),
        lambda: log.inclusion(10, 10),
        lambda: log.inclusion(0, 11),
        lambda: log.inclusion(-1, 10),
        lambda: log.consistency(0, 10),
        lambda: log.consistency(5, 4),
        lambda: log.consistency(5, 11),
        lambda: log.range_proof(3, 3, 10),
        lambda: log.range_proof(3, 11, 11),
        lambda: log.leaves(3, 11),
        lambda: log.missing([10], 10),
        lambda: log.missing([0], 2**64),
        lambda: log.truncate(11, b""),
        lambda: log.truncate(5, bytes(32)),
        lambda: log.truncate(5, bytes(31)),
        lambda: _core.Log(bytes(31)),
        lambda: _core.range_paths(10, 0, bytes(31), []),
        lambda: _core.range_paths(10, 0, bytes(64), [bytes(31)]),
        lambda: _core.range_paths(10, 9, bytes(64), []),
        lambda: _core.range_paths(10, 0, b"", []),
        lambda: _core.range_paths(2**64, 0, bytes(32), []),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"outside|must be|fit"):
            call()
    assert log.size == 10


def test_malformed_proofs_are_false() -> None:
    log = Kept(10).log
    root, path = log.root(10), log.inclusion(3, 10)
    leaf = LEAVES[3]
    assert _core.verify_inclusion(root, 10, 3, leaf, path)
    assert not _core.verify_inclusion(root[1:], 10, 3, leaf, path)
    assert not _core.verify_inclusion(root, 10, 3, leaf + b"\0", path)
    assert not _core.verify_inclusion(root, 10, 3, leaf, [path[0][1:], *path[1:]])
    assert not _core.verify_inclusion(root, 10, 3, leaf, [*path, bytes(32)])
    for size, index in ((0, 0), (10, 10), (10, -1), (-1, 3), (2**64, 3), (10, 2**64), (3, 3)):
        assert not _core.verify_inclusion(root, size, index, leaf, path)
    old, proof = log.root(6), log.consistency(6, 10)
    assert _core.verify_consistency(6, old, 10, root, proof)
    assert not _core.verify_consistency(6, old[1:], 10, root, proof)
    assert not _core.verify_consistency(6, old, 10, root, [*proof, bytes(32)])
    assert not _core.verify_consistency(6, old, 10, root, [proof[0] + b"\0", *proof[1:]])
    assert not _core.verify_consistency(0, log.root(0), 10, root, [])
    for first, second in ((-1, 10), (6, -1), (2**64, 2**64), (10, 6)):
        assert not _core.verify_consistency(first, old, second, root, proof)
