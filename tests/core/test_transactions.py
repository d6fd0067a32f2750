"""TransactionBatch against msgspec and ``wire.decode``: the same bytes are accepted by both."""

import random
import struct
from typing import TypeVar

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from grootboek import _core, wire
from grootboek._core import TransactionBatch
from grootboek.errors import BadFrame
from tests.core import trees
from tests.core.vectors import CHAIN, seeded, transaction

READABLE = (0, 4, 5, 8)


def parsed(data: bytes) -> bool:
    """Whether the core takes ``data`` for a transaction."""
    batch = TransactionBatch(
        trees.framed([data], 4),
        CHAIN.digest,
        command_bytes=1 << 20,
        transaction_bytes=1 << 22,
        check_signatures=False,
    )
    assert (batch.verdicts[0] in READABLE) == bool(batch.ids[0]) == bool(batch.senders[0])
    return batch.verdicts[0] in READABLE


def accepted(data: bytes) -> bool:
    """Whether ``wire`` takes ``data`` for a transaction."""
    try:
        found = wire.decode(wire.transactions, data)
        wire.decode(wire.headers, found.header)
        for command in found.commands:
            wire.decode(wire.commands, command)
    except BadFrame:
        return False
    return True


# --- msgpack in every form that a value can take --------------------------------------------------


def forms(value: object) -> list[bytes]:
    """Encodings that a lenient decoder may take for ``value``, the shortest first."""
    match value:
        case bool():
            return [msgspec.msgpack.encode(value), b"\1", b"\0", b"\xc0"]
        case int():
            return [msgspec.msgpack.encode(value), *wide_integers(value)]
        case bytes() | str():
            data = value.encode() if isinstance(value, str) else value
            tags = (0xD9, 0xDA, 0xDB) if isinstance(value, str) else (0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB)
            widths = [(tag, 1 << (tag - tags[0]) % 3) for tag in tags]
            wide = [
                bytes([tag]) + len(data).to_bytes(width, "big") + data
                for tag, width in widths
                if len(data) < 256**width
            ]
            return [msgspec.msgpack.encode(value), *wide]
    raise AssertionError(value)


def wide_integers(value: int) -> list[bytes]:
    found = []
    for tag, f in zip(range(0xCC, 0xD4), (">B", ">H", ">I", ">Q", ">b", ">h", ">i", ">q"), strict=True):
        try:
            found.append(bytes([tag]) + struct.pack(f, value))
        except struct.error:
            continue
    return [*found, b"\xcb" + struct.pack(">d", value)]


T = TypeVar("T")


def seldom(draw: st.DrawFn, usual: st.SearchStrategy[T], odd: st.SearchStrategy[T]) -> T:
    """Mostly ``usual``: a transaction is readable only where every part of it is."""
    return draw(odd if draw(st.integers(0, 99)) == 57 else usual)


def array(draw: st.DrawFn, items: list[bytes]) -> bytes:
    """An array, seldom in a longer form, or with an item too many or too few."""
    odd = seldom(draw, st.just(""), st.sampled_from(["more", "fewer", "wide", "wider"]))
    if odd == "more":
        items = [*items, b"\xc0"]
    elif odd == "fewer":
        items = items[:-1]
    count = len(items)
    if odd == "wide":
        head = b"\xdc" + struct.pack(">H", count)
    elif odd == "wider":
        head = b"\xdd" + struct.pack(">I", count)
    else:
        head = msgspec.msgpack.encode([None] * count)[: 1 if count < 16 else 3]
    return head + b"".join(items)


def scalar(draw: st.DrawFn, value: object) -> bytes:
    """A value, seldom in another form than the shortest."""
    choices = forms(value)
    return seldom(draw, st.just(choices[0]), st.sampled_from(choices))


def sized(draw: st.DrawFn, size: int) -> bytes:
    """Bytes, seldom one too many or too few."""
    return bytes(seldom(draw, st.just(size), st.sampled_from([size - 1, size + 1, 0])))


def name(draw: st.DrawFn) -> str:
    return seldom(
        draw,
        st.text(min_size=1, max_size=20) | st.sampled_from(["records", "x" * 64, "é" * 64]),
        st.sampled_from(["", "x" * 65, "é" * 65]),
    )


def natural(draw: st.DrawFn, least: int, end: int) -> int:
    """A number of each length below ``end``, seldom one outside."""
    edges = [n for n in (0, 1, 127, 128, 255, 256, 2**16, 2**32, 2**53 - 1, end - 1) if least <= n < end]
    outside = [n for n in (least - 1, end, 2**64 - 1) if 0 <= n < 2**64]
    return seldom(draw, st.sampled_from(edges), st.sampled_from(outside))


@st.composite
def any_command(draw: st.DrawFn) -> bytes:
    body = draw(st.binary(max_size=40) | st.sampled_from([bytes(255), bytes(256), bytes(70_000)]))
    fields = (name(draw), name(draw), natural(draw, 1, 2**16), body, sized(draw, 16))
    return array(draw, [scalar(draw, field) for field in fields])


@st.composite
def any_header(draw: st.DrawFn) -> bytes:
    tag, chain = seldom(draw, st.just(1), st.integers(0, 2)), sized(draw, 8)
    count = seldom(draw, st.integers(1, 16), st.sampled_from([0, 17]))
    signers = array(draw, [scalar(draw, sized(draw, 32)) for _ in range(count)])
    nonce, expiry = natural(draw, 0, 2**63), natural(draw, 0, 2**53)
    rest = (nonce, expiry, draw(st.booleans()), natural(draw, 1, 2**64), sized(draw, 32))
    return array(draw, [scalar(draw, tag), scalar(draw, chain), signers, *(scalar(draw, v) for v in rest)])


@st.composite
def any_transaction(draw: st.DrawFn) -> bytes:
    signatures = [scalar(draw, sized(draw, 64)) for _ in range(draw(st.integers(0, 17)))]
    commands = [scalar(draw, command) for command in draw(st.lists(any_command(), max_size=3))]
    header = scalar(draw, draw(any_header()))
    tail = seldom(draw, st.just(b""), st.sampled_from([b"\0", b"\xc0"]))
    return array(draw, [header, array(draw, signatures), array(draw, commands)]) + tail


@given(any_transaction())
def test_what_wire_accepts_is_read_and_nothing_else(data: bytes) -> None:
    assert parsed(data) == accepted(data)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assert parsed(data) == accepted(data)


@given(st.integers(0, 2**32), st.sampled_from(["flip", "cut", "insert", "drop"]))
def test_damaged_transactions(seed: int, damage: str) -> None:
    chosen = random.Random(seed)
    data = bytearray(wire.encode(transaction(signers=(0, 1), commands=2)))
    place = chosen.randrange(len(data))
    match damage:
        case "flip":
            data[place] ^= 1 << chosen.randrange(8)
        case "cut":
            del data[place:]
        case "insert":
            data.insert(place, chosen.randrange(256))
        case "drop":
            del data[place]
    assert parsed(bytes(data)) == accepted(bytes(data))


GOOD = transaction(signers=(0, 1), commands=20)


def altered(*, header: bytes = GOOD.header, command: bytes = GOOD.commands[0]) -> bytes:
    return wire.encode(wire.Transaction(header, GOOD.signatures, (command, *GOOD.commands[1:])))


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd\0\0\0\3" + wire.encode(GOOD)[1:],
        altered(header=GOOD.header.replace(b"\7\xcf", b"\xcc\7\xcf")),
        altered(header=GOOD.header.replace(b"\7\xcf", b"\xd0\7\xcf")),
        altered(command=GOOD.commands[0].replace(b"\xc4\x10", b"\xc5\0\x10")),
        altered(command=GOOD.commands[0].replace(b"\xa7records", b"\xd9\7records")),
    ],
)
def test_longer_forms_are_told_from_other_damage(data: bytes) -> None:
    assert data != altered()
    assert not accepted(data)
    assert TransactionBatch(trees.framed([data], 4), CHAIN.digest).verdicts == b"\3"


# --- batches --------------------------------------------------------------------------------------


def batch_of(count: int) -> tuple[list[wire.Transaction], TransactionBatch]:
    found = [transaction(signers=range(1 + i % 3), commands=1 + i % 4, body=b"%d" % i) for i in range(count)]
    buffer = trees.framed([wire.encode(one) for one in found], 4)
    return found, TransactionBatch(buffer, CHAIN.digest)


def test_what_a_batch_says_of_its_transactions() -> None:
    found, batch = batch_of(7)
    signed = [wire.transaction_bytes(CHAIN, one.header) for one in found]
    headers = [wire.decode(wire.headers, one.header) for one in found]
    assert len(batch) == 7
    assert batch.verdicts == bytes(7)
    assert batch.ids == [blake3(data).digest() for data in signed]
    assert batch.expiries == [header.expiry for header in headers]
    assert batch.senders == [header.signers[0] for header in headers]
    assert batch.digest == wire.batch_digest(CHAIN, batch.buffer)
    frames = [batch.buffer[start:end] for start, end in batch.frames]
    assert frames == [trees.framed([wire.encode(one)], 4) for one in found]


def test_what_is_executed() -> None:
    found, batch = batch_of(7)
    for one, id_, read in zip(found, batch.ids, batch.transactions(), strict=True):
        header = wire.decode(wire.headers, one.header)
        entry = wire.HEADER_ENTRY + wire.encode(wire.HeaderEntry(one.header, one.signatures))
        commands = [(wire.decode(wire.commands, data), data) for data in one.commands]
        assert read == (
            id_,
            header.expiry,
            header.atomic,
            header.signers,
            entry,
            [(c.module, c.name, c.version, c.body, data) for c, data in commands],
        )


def test_selecting_and_joining() -> None:
    _, batch = batch_of(7)
    picked = batch.select([5, 0, 5])
    parts = [batch.buffer[slice(*batch.frames[i])] for i in (5, 0, 5)]
    assert picked.buffer == b"".join(parts)
    assert picked.ids == [batch.ids[5], batch.ids[0], batch.ids[5]]
    assert picked.digest == wire.batch_digest(CHAIN, picked.buffer)
    assert picked.transactions() == [batch.transactions()[i] for i in (5, 0, 5)]
    joined = TransactionBatch.join([picked, batch])
    assert joined.buffer == picked.buffer + batch.buffer
    assert joined.ids == picked.ids + batch.ids
    assert joined.frames == TransactionBatch(joined.buffer, CHAIN.digest).frames
    assert len(batch.select([])) == 0
    for indexes in ([7], [-1]):
        with pytest.raises(ValueError, match="index|at least 0"):  # noqa: RUF043  # either of two messages
            batch.select(indexes)


def test_joining_needs_one_chain() -> None:
    _, batch = batch_of(1)
    other = TransactionBatch(batch.buffer, seeded("other"))
    for batches in ([], [batch, other]):
        with pytest.raises(ValueError, match="one chain"):
            TransactionBatch.join(batches)


def test_a_verdict_survives_selecting() -> None:
    _, batch = batch_of(2)
    bad = TransactionBatch(batch.buffer[:-1] + bytes([batch.buffer[-1] ^ 1]), CHAIN.digest)
    assert bad.verdicts == b"\0\x08"
    assert bad.select([1]).verdicts == b"\x08"
    with pytest.raises(ValueError, match="admissible"):
        bad.transactions()
    assert bad.select([0]).transactions() == batch.select([0]).transactions()


def test_certified_batches_need_no_signatures() -> None:
    one = transaction()
    unsigned = wire.encode(wire.Transaction(one.header, (bytes(64),), one.commands))
    buffer = trees.framed([unsigned], 4)
    assert TransactionBatch(buffer, CHAIN.digest).verdicts == b"\5"
    assert TransactionBatch(buffer, CHAIN.digest, check_signatures=False).verdicts == b"\0"


def test_one_bad_signature_spoils_no_other_transaction() -> None:
    found = [transaction(body=b"%d" % i) for i in range(300)]
    found[77] = wire.Transaction(found[77].header, found[78].signatures, found[77].commands)
    buffer = trees.framed([wire.encode(one) for one in found], 4)
    verdicts = TransactionBatch(buffer, CHAIN.digest).verdicts
    assert [i for i, verdict in enumerate(verdicts) if verdict] == [77]
    assert verdicts[77] == 5


@pytest.mark.parametrize("limit", ["signers", "commands", "command_bytes", "transaction_bytes"])
def test_limits_are_inclusive(limit: str) -> None:
    data = wire.encode(transaction(signers=(0, 1), commands=3))
    found = wire.decode(wire.transactions, data)
    sizes = {
        "signers": 2,
        "commands": 3,
        "command_bytes": len(found.commands[0]),
        "transaction_bytes": len(data),
    }
    for least, verdict in ((0, b"\0"), (1, b"\2")):
        within = {limit: sizes[limit] - least}
        assert batch_with(data, **within).verdicts == verdict


def batch_with(data: bytes, **limits: int) -> TransactionBatch:
    """A batch of one, under default limits but for those given."""
    defaults = {"signers": 16, "commands": 1000, "command_bytes": 49_152, "transaction_bytes": 262_144}
    chosen = defaults | limits
    return TransactionBatch(
        trees.framed([data], 4),
        CHAIN.digest,
        signers=chosen["signers"],
        commands=chosen["commands"],
        command_bytes=chosen["command_bytes"],
        transaction_bytes=chosen["transaction_bytes"],
    )


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TransactionBatch(b"", bytes(31))
    with pytest.raises(ValueError, match="at least 0"):
        TransactionBatch(b"", bytes(32), signers=-1)
    assert _core.TransactionBatch(b"", bytes(32)).transactions() == []
