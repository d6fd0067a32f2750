"""Digests, leaf hashes and command roots against other implementations."""

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from grootboek import _core
from tests.core import trees

commands = st.lists(st.binary(max_size=80), min_size=1, max_size=40)


@given(st.binary(max_size=5000))
def test_digests_are_blake3(data: bytes) -> None:
    assert _core.digest(data) == blake3(data).digest()


@pytest.mark.parametrize("size", [0, 1, 64, 1024, 1025, 65_535, 65_536, 1 << 20])
def test_digests_of_any_size(size: int) -> None:
    assert _core.digest(bytes(size)) == blake3(bytes(size)).digest()


@given(commands, st.data())
def test_command_trees_equal_the_definition(encoded: list[bytes], data: st.DataObject) -> None:
    leaves = [trees.command_leaf(command) for command in encoded]
    index = data.draw(st.integers(0, len(encoded) - 1))
    root, path = _core.command_root(encoded), _core.command_path(encoded, index)
    assert root == trees.root(leaves, trees.command_node)
    assert path == trees.inclusion(leaves, index, trees.command_node)
    assert _core.verify_command(root, len(encoded), index, encoded[index], path)
    assert not _core.verify_command(root, len(encoded), index, encoded[index] + b"!", path)
    assert not _core.verify_command(root, len(encoded), index, encoded[index], [*path, bytes(32)])
    assert not _core.verify_command(root, len(encoded), index + len(encoded), encoded[index], path)
    assert not _core.verify_command(root, len(encoded), -1, encoded[index], path)


def test_no_commands_have_a_root_that_nothing_leads_to() -> None:
    assert _core.command_root([]) == bytes(32)
    assert not _core.verify_command(bytes(32), 0, 0, b"", [])


@pytest.mark.parametrize("index", [-1, 2, 2**64, -(2**70)])
def test_there_is_no_path_of_a_command_that_is_not_there(index: int) -> None:
    with pytest.raises(ValueError, match="index" if index == 2 else "at least 0"):
        _core.command_path([b"a", b"b"], index)


@pytest.mark.parametrize("entries", [b"\0", b"\0\2a", b"\0\1ab"])
def test_broken_framing_is_an_error(entries: bytes) -> None:
    with pytest.raises(ValueError, match="longer than the buffer"):
        _core.leaf_hashes(entries)
    with pytest.raises(ValueError, match="longer than the buffer"):
        _core.TransactionBatch(b"\0\0" + entries, bytes(32))
    log = _core.Log()
    with pytest.raises(ValueError, match="longer than the buffer"):
        log.append(b"\0\0" + entries)
    assert log.size == 0
