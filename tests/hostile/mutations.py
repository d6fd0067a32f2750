"""What a fuzzer does to valid bytes: seeded, so that a run can be repeated."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

__all__ = ["mutated"]

BYTES_MAX = 1 << 17
HEADERS = bytes([*range(0x80, 0xA4), *range(0xC0, 0xE0), 0x00, 0x7F, 0xFF])
"""First bytes of msgpack values of each kind."""
EXTREMES: tuple[object, ...] = (
    0,
    1,
    -1,
    2**31,
    2**53 - 1,
    2**53,
    2**64 - 1,
    -(2**63),
    0.5,
    b"",
    bytes(31),
    bytes(32),
    bytes(65_536),
    "",
    "\x00",
    None,
    True,
    [],
    [[]],
    {},
)
"""What takes the place of a part of a value."""
TEXTS = (
    b"\n",
    b" ",
    b"+",
    b"=",
    b"0",
    b"-1",
    b"\xff",
    b"\xe2\x80\x94",
    b"null",
    b"[" * 2_000,
    b'"',
    b"1e999",
)

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 32, 64, 1_000)))


def flip(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A bit."""
    if not data:
        return b"\x00"
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def swap_header(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A byte becomes the head of another kind of value."""
    place = rng.randint(0, len(data))
    return data[:place] + bytes([rng.choice(HEADERS)]) + data[place + 1 :]


def drop(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A span."""
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def double(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A span, again somewhere else."""
    start, end = _span(rng, data)
    place = rng.randint(0, len(data))
    return data[:place] + data[start:end] + data[place:]


def cut(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """The end is missing, or something follows."""
    return (
        data[: rng.randint(0, len(data))] if rng.random() < 0.5 else data + rng.randbytes(rng.randint(1, 9))
    )


def relength(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A length, or a number, that is not so."""
    width = rng.choice((1, 2, 4, 8))
    place = rng.randint(0, max(0, len(data) - width))
    value = rng.choice((0, 1, (1 << 8 * width) - 1, 1 << 8 * width - 1, len(data), len(data) - place))
    return data[:place] + (value % (1 << 8 * width)).to_bytes(width, "big") + data[place + width :]


def splice(rng: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """The beginning of this one, the end of another one."""
    other: bytes = rng.choice(corpus)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def text(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Something that only texts mind."""
    start, end = _span(rng, data)
    return data[:start] + rng.choice(TEXTS) + data[rng.choice((start, end)) :]


def lines(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Lines in another order."""
    parts = data.split(b"\n")
    rng.shuffle(parts)
    return b"\n".join(parts)


def replace(rng: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """A part of the value becomes another one, or one of another value: still good msgpack."""
    try:
        value = msgspec.msgpack.decode(data)
        other = msgspec.msgpack.decode(rng.choice(corpus))
    except (ValueError, RecursionError):
        return flip(rng, data, corpus)
    part = rng.choice(EXTREMES) if rng.random() < 0.6 else _part(rng, other)
    changed: object = _replaced(rng, value, part)
    return msgspec.msgpack.encode(changed)


def _part(rng: random.Random, value: Any) -> Any:
    while isinstance(value, list) and value and rng.random() < 0.8:
        value = rng.choice(value)
    return value


def _replaced(rng: random.Random, value: Any, part: object) -> Any:
    if not isinstance(value, list) or not value or rng.random() < 0.15:
        return part
    place = rng.randrange(len(value))
    if rng.random() < 0.1:
        return [*value[:place], *value[place + 1 :]] if rng.random() < 0.5 else [*value, value[place]]
    return [_replaced(rng, item, part) if i == place else item for i, item in enumerate(value)]


MUTATIONS: tuple[Mutation, ...] = (
    flip,
    flip,
    swap_header,
    drop,
    double,
    cut,
    relength,
    splice,
    text,
    lines,
    replace,
    replace,
)


def mutated(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """One of the corpus after one to four changes."""
    data = rng.choice(corpus)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        data = rng.choice(MUTATIONS)(rng, data, corpus)[:BYTES_MAX]
    return data
