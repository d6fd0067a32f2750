"""Ed25519 (RFC 8032) in slow, plain integers: what the fast rule is compared with."""

import hashlib
from functools import cache
from typing import Final

P: Final = 2**255 - 19
L: Final = 2**252 + 27742317777372353535851937790883648493
D: Final = -121665 * pow(121666, -1, P) % P
ROOT: Final = pow(2, (P - 1) // 4, P)
"""A square root of -1."""

Point = tuple[int, int]
IDENTITY: Final[Point] = (0, 1)


def add(a: Point, b: Point) -> Point:
    """The sum of two points of the curve -x^2 + y^2 = 1 + d x^2 y^2."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    inverse = pow(1 - t * t, -1, P)
    x = (x1 * y2 + x2 * y1) * (1 - t) * inverse % P
    y = (y1 * y2 + x1 * x2) * (1 + t) * inverse % P
    return x, y


def times(n: int, point: Point) -> Point:
    """``n`` times the point."""
    total = IDENTITY
    while n:
        if n & 1:
            total = add(total, point)
        point, n = add(point, point), n >> 1
    return total


def negative(point: Point) -> Point:
    return -point[0] % P, point[1]


def x_of(y: int, sign: int) -> int | None:
    """The x of that sign with (x, y) on the curve, None where there is none; x = 0 has no sign 1."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return x if x % 2 == sign else -x % P


def decode(data: bytes) -> Point | None:
    """The point, None where ``data`` is not its canonical encoding."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= P or (x := x_of(y, sign)) is None:
        return None
    return x, y


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


BASE: Final[Point] = (x_of(4 * pow(5, -1, P) % P, 0) or 0, 4 * pow(5, -1, P) % P)


def small_order() -> list[Point]:
    """The eight points whose order divides 8."""
    y = 0
    while True:
        x = x_of(y, 0)
        point = times(L, (x, y)) if x is not None else IDENTITY
        if times(4, point) != IDENTITY:
            return [times(i, point) for i in range(8)]
        y += 1


def challenge(r: bytes, key: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L


@cache
def difference(key: bytes, message: bytes, signature: bytes) -> Point | None:
    """s B - R - k A; None where that need not be asked."""
    if len(key) != 32 or len(signature) != 64:
        return None
    a, r, s = decode(key), decode(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or times(8, a) == IDENTITY:
        return None
    k = challenge(signature[:32], key, message)
    return add(times(s, BASE), negative(add(r, times(k, a))))


def accepts(key: bytes, message: bytes, signature: bytes, *, cofactorless: bool = False) -> bool:
    """The acceptance rule of docs/spec/signatures.md."""
    rest = difference(key, message, signature)
    return rest is not None and (rest if cofactorless else times(8, rest)) == IDENTITY


def forge(secret: int, nonce: int, key: bytes, r: bytes, message: bytes) -> bytes:
    """A signature under these encodings of ``secret`` B and ``nonce`` B, up to points of small order."""
    s = (nonce + challenge(r, key, message) * secret) % L
    return r + s.to_bytes(32, "little")
