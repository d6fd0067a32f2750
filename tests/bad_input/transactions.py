"""Client bytes that are no good: what each is called, the bytes, and the code that it must get."""

from collections.abc import Callable

import msgspec

from grootboek import wire
from grootboek._core import SigningKey, command_root
from grootboek.client.transactions import framed, prepare
from grootboek.simulation.founding import known_key
from grootboek.simulation.heap import EPOCH_MS
from grootboek.types import Chain, Limits
from grootboek.wire import Header, Transaction, encode, transaction_bytes
from tests.node.cluster import anchor

EXPIRY = EPOCH_MS + 500_000
GENEROUS = Limits(commands=5_000, command_bytes=60_000, transaction_bytes=1 << 20)
"""What a client would have to believe to make transactions that are too large."""
CLIENT = known_key("client", 1)
OTHER = known_key("client", 2)
SMALL_ORDER = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
"""A point of order 8: a key under which anybody can sign."""


def sealed(
    chain: Chain,
    *,
    keys: tuple[SigningKey, ...] = (CLIENT,),
    expiry: int = EXPIRY,
    commands: tuple[bytes, ...] = (anchor(1),),
    sent: tuple[bytes, ...] | None = None,
    count: int | None = None,
    foreign: bytes | None = None,
    raw: Callable[[bytes], bytes] = bytes,
) -> bytes:
    """A signed transaction; ``sent`` commands instead of the signed ones, ``raw`` changes the header."""
    header = Header(
        chain=foreign or chain.id,
        signers=tuple(key.public for key in keys),
        nonce=7,
        expiry=expiry,
        atomic=True,
        count=len(commands) if count is None else count,
        root=command_root(commands),
    )
    data = raw(encode(header))
    signatures = tuple(key.sign(transaction_bytes(chain, data)) for key in keys)
    return encode(Transaction(data, signatures, commands if sent is None else sent))


def opened(chain: Chain) -> Transaction:
    return msgspec.msgpack.decode(sealed(chain), type=Transaction)


def signed_as(chain: Chain, *signatures: bytes) -> bytes:
    return encode(msgspec.structs.replace(opened(chain), signatures=signatures))


def long_integer(header: bytes) -> bytes:
    """The nonce 7 as nine bytes where one would do."""
    at = header.index(b"\x91\xc4\x20") + 3 + 32
    assert header[at] == 7
    return header[:at] + b"\xcf" + (7).to_bytes(8, "big") + header[at + 1 :]


def with_key(header: bytes, key: bytes) -> bytes:
    return header.replace(CLIENT.public, key)


def large_command(chain: Chain) -> bytes:
    command = wire.encode(wire.Command("records", "Anchor", 1, bytes((48 << 10) + 1), bytes(16)))
    return encode(prepare(chain, [CLIENT], [command], expiry=EXPIRY, limits=GENEROUS).transaction)


def many_commands(chain: Chain) -> bytes:
    commands = [anchor(1)] * 1_001
    return encode(prepare(chain, [CLIENT], commands, expiry=EXPIRY, limits=GENEROUS).transaction)


def large_transaction(chain: Chain) -> bytes:
    command = wire.encode(wire.Command("records", "Anchor", 1, bytes(40 << 10), bytes(16)))
    return encode(prepare(chain, [CLIENT], [command] * 8, expiry=EXPIRY, limits=GENEROUS).transaction)


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


Row = tuple[str, Callable[[Chain], bytes], str]

TRANSACTIONS: list[Row] = [
    ("malformed: not msgpack", lambda _: b"\xc1 hello", "GB-1001"),
    ("malformed: empty", lambda _: b"", "GB-1001"),
    ("malformed: cut off", lambda c: sealed(c)[:-1], "GB-1001"),
    ("malformed: another type", lambda _: encode(("a", 1)), "GB-1001"),
    ("malformed: a header that is none", lambda _: encode(Transaction(b"\x90", (), ())), "GB-1001"),
    ("malformed: bytes after it", lambda c: sealed(c) + b"\x00", "GB-1001"),
    ("oversized: one command", large_command, "GB-1002"),
    ("oversized: too many commands", many_commands, "GB-1002"),
    ("oversized: the transaction", large_transaction, "GB-1002"),
    ("non-canonical: a long array head", lambda c: b"\xdc\x00\x03" + sealed(c)[1:], "GB-1003"),
    ("non-canonical: a long integer, signed", lambda c: sealed(c, raw=long_integer), "GB-1003"),
    ("foreign chain: it names another", lambda c: sealed(c, foreign=bytes(8)), "GB-1004"),
    (
        "foreign chain: signed for another, relabelled",
        lambda c: sealed(Chain(c.name, bytes(32)), foreign=c.id),
        "GB-1005",
    ),
    ("wrongly signed: a bit", lambda c: signed_as(c, flipped(opened(c).signatures[0])), "GB-1005"),
    ("wrongly signed: none", signed_as, "GB-1005"),
    ("wrongly signed: one too many", lambda c: signed_as(c, *opened(c).signatures * 2), "GB-1005"),
    (
        "wrongly signed: by another key",
        lambda c: signed_as(c, OTHER.sign(transaction_bytes(c, opened(c).header))),
        "GB-1005",
    ),
    (
        "wrongly signed: in the wrong order",
        lambda c: encode(
            msgspec.structs.replace(
                msgspec.msgpack.decode(sealed(c, keys=(CLIENT, OTHER)), type=Transaction),
                signatures=tuple(
                    key.sign(transaction_bytes(c, opened_by_two(c).header)) for key in (OTHER, CLIENT)
                ),
            )
        ),
        "GB-1005",
    ),
    ("wrongly signed: a key of small order", lambda c: sealed(c, raw=weak_key), "GB-1005"),
    ("wrongly signed: one signer twice", lambda c: sealed(c, keys=(CLIENT, CLIENT)), "GB-1005"),
    ("expired", lambda c: sealed(c, expiry=EPOCH_MS), "GB-1006"),
    ("expiry too far away", lambda c: sealed(c, expiry=EPOCH_MS + 700_000), "GB-1007"),
    ("wrong party: other commands than signed", lambda c: sealed(c, sent=(anchor(2),)), "GB-1008"),
    ("wrong party: a command left out", lambda c: sealed(c, sent=()), "GB-1008"),
    ("wrong party: another count than signed", lambda c: sealed(c, count=2), "GB-1008"),
]

REQUESTS: list[tuple[str, bytes, str]] = [
    ("a length beyond the body", (1_000).to_bytes(4, "big") + b"abc", "GB-1001"),
    ("a length cut off", b"\x00\x00", "GB-1001"),
]


def opened_by_two(chain: Chain) -> Transaction:
    return msgspec.msgpack.decode(sealed(chain, keys=(CLIENT, OTHER)), type=Transaction)


def weak_key(header: bytes) -> bytes:
    return with_key(header, SMALL_ORDER)


def request_of(chain: Chain, build: Callable[[Chain], bytes]) -> bytes:
    return framed(build(chain))
