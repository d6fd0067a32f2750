"""The trees of docs/spec by their definitions: slow, obvious, and sharing no code with the core."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from blake3 import blake3

Node = Callable[[bytes, bytes], bytes]

EMPTY = bytes(32)


def keyed(role: str, data: bytes) -> bytes:
    """BLAKE3 keyed for a role."""
    return blake3(data, key=blake3(b"grootboek/1 %s\n" % role.encode()).digest()).digest()


def log_leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def log_node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def command_leaf(command: bytes) -> bytes:
    return keyed("command leaf", command)


def command_node(left: bytes, right: bytes) -> bytes:
    return keyed("command node", left + right)


def split(size: int) -> int:
    """The largest power of two below ``size`` > 1."""
    return 1 << (size - 1).bit_length() - 1


def root(leaves: Sequence[bytes], node: Node) -> bytes:
    """RFC 6962 section 2.1 over leaf hashes, of which there is at least one."""
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(root(leaves[:k], node), root(leaves[k:], node))


def log_root(leaves: Sequence[bytes]) -> bytes:
    return root(leaves, log_node) if leaves else hashlib.sha256().digest()


def inclusion(leaves: Sequence[bytes], index: int, node: Node) -> list[bytes]:
    """RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*inclusion(leaves[:k], index, node), root(leaves[k:], node)]
    return [*inclusion(leaves[k:], index - k, node), root(leaves[:k], node)]


def consistency(leaves: Sequence[bytes], first: int, node: Node, *, whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2."""
    if first == len(leaves):
        return [] if whole else [root(leaves, node)]
    k = split(len(leaves))
    if first <= k:
        return [*consistency(leaves[:k], first, node, whole=whole), root(leaves[k:], node)]
    return [*consistency(leaves[k:], first - k, node, whole=False), root(leaves[:k], node)]


def beside(leaves: Sequence[bytes], start: int, end: int, node: Node, offset: int = 0) -> list[bytes]:
    """The roots of the largest subtrees outside [start, end), from left to right."""
    if offset + len(leaves) <= start or end <= offset:
        return [root(leaves, node)]
    if start <= offset and offset + len(leaves) <= end:
        return []
    k = split(len(leaves))
    left = beside(leaves[:k], start, end, node, offset)
    return left + beside(leaves[k:], start, end, node, offset + k)


def _bit(key: bytes, depth: int) -> int:
    return key[depth // 8] >> 7 - depth % 8 & 1


def _state_root(leaves: Mapping[bytes, bytes], depth: int) -> bytes:
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        ((key, value),) = leaves.items()
        return keyed("state leaf", key + value)
    left, right = ({k: v for k, v in leaves.items() if _bit(k, depth) == side} for side in (0, 1))
    return keyed("state node", _state_root(left, depth + 1) + _state_root(right, depth + 1))


def _hashed(values: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {keyed("state key", key): keyed("state value", value) for key, value in values.items()}


def state_root(values: Mapping[bytes, bytes]) -> bytes:
    """The root of a state with these values."""
    return _state_root(_hashed(values), 0)


def state_proof(values: Mapping[bytes, bytes], key: bytes) -> bytes:
    """The proof of the value or absence of ``key``."""
    leaves, queried, siblings, depth = _hashed(values), keyed("state key", key), [], 0
    while len(leaves) > 1:
        side = _bit(queried, depth)
        siblings.append(_state_root({k: v for k, v in leaves.items() if _bit(k, depth) != side}, depth + 1))
        leaves = {k: v for k, v in leaves.items() if _bit(k, depth) == side}
        depth += 1
    end = b"\0"
    for other, value in leaves.items():
        end = b"\1" if other == queried else b"\2" + other + value
    return end + b"".join(reversed(siblings))


def framed(parts: Sequence[bytes], width: int) -> bytes:
    """Each part after its big-endian length of ``width`` bytes."""
    return b"".join(len(part).to_bytes(width, "big") + part for part in parts)
