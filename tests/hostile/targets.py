"""A target for every decoder: bytes in; out comes the documented error, or a value with one encoding."""

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from grootboek import notes, plain, proofs, receipts, wire
from grootboek.api.transactions import count_frames
from grootboek.client.transactions import from_frame
from grootboek.client.verifier import Verifier
from grootboek.consensus import Heard, Received, decode_record
from grootboek.errors import (
    ApiError,
    BadFrame,
    BadReceipt,
    ConfigError,
    GenesisError,
    GrootboekError,
    PeerError,
    ProofError,
    TransactionError,
)
from grootboek.ledger.blocks import parse
from grootboek.network.framing import FrameReader, decode_frame
from grootboek.node import config, groups, journal
from grootboek.node.counters import Counters
from grootboek.node.gate import Gate
from grootboek.node.judging import judge_batch, judge_request
from grootboek.simulation.disk import SimulatedDisk
from grootboek.types import Genesis
from grootboek.wire import Envelope, encode
from tests.client.small_ledger import full_key
from tests.hostile import corpus
from tests.hostile.greetings import Meeting, good

Errors = tuple[type[Exception], ...]


@dataclass(frozen=True)
class Target:
    """One decoder."""

    seeds: Callable[[], list[bytes]]
    check: Callable[[bytes], object]
    """Raises one of ``errors``, or AssertionError where a promise is broken."""
    errors: Errors
    gentle: bool = False
    """Whether a run takes milliseconds: it gets fewer of them."""


def same(again: bytes, data: bytes) -> None:
    """What was decoded has no other encoding."""
    assert bytes(again) == data, "another encoding of the same value was taken"


def canonical(decoder: "msgspec.msgpack.Decoder[Any]") -> Callable[[bytes], None]:
    return lambda data: same(encode(wire.decode(decoder, data)), data)


# --- what a peer sends ---------------------------------------------------------------------------


def frame(data: bytes) -> None:
    same(encode(decode_frame(memoryview(data))), data)


def stream(data: bytes) -> None:
    """A connection's bytes: whatever frames they hold, they are cut as they stand."""
    reader = FrameReader(1 << 16)
    reader.feed(data)
    whole = b""
    while (payload := reader.next()) is not None:
        whole += len(payload).to_bytes(4, "big") + bytes(payload)
    assert data.startswith(whole)


@cache
def gate() -> Gate:
    genesis = corpus.cluster().genesis
    return Gate(genesis, genesis.founding, None, Counters())


@cache
def true_messages() -> set[bytes]:
    """What was really signed: payload and sender, and checkpoints and certificates as they are."""
    sent = [f for _, _, f in corpus.cluster().sent]
    return {encode(f.signed) for f in sent if isinstance(f, Envelope)}


def signed_frame(data: bytes) -> None:
    """Through the gate: nothing passes that nobody signed."""
    received = decode_frame(memoryview(data))
    for event in gate().events([(2, received)]):
        assert isinstance(event, Received | Heard)
        assert isinstance(event, Heard) or encode(event.signed) in true_messages(), "a forgery passed"


def greeting(data: bytes) -> None:
    """In place of a HELLO proof: only the true one ends the handshake."""
    meeting = Meeting()
    first, proof = good(meeting)
    meeting.acceptor.receive(decode_frame(memoryview(first)))
    meeting.acceptor.receive(decode_frame(memoryview(data)))
    assert data == proof, "a forged proof was taken"


def batch(data: bytes) -> None:
    judged = judge_batch(data, corpus.cluster().genesis)
    assert not any(judged.verdicts)
    same(b"".join(data[start:end] for start, end in judged.frames), data)


# --- what clients send ---------------------------------------------------------------------------


def request(data: bytes) -> None:
    """The API counts the frames that the core finds, and each has a verdict."""
    count = count_frames(data, 1_000)
    judged = judge_request(data, corpus.cluster().genesis)
    assert (len(judged), len(judged.verdicts), len(judged.ids)) == (count,) * 3


def transaction(data: bytes) -> None:
    same(from_frame(corpus.cluster().genesis.chain, data).frame, data)


def command_text(data: bytes) -> None:
    """A command as JSON, as the command line and the API take it."""
    value = plain.from_json(wire.Command, data)
    assert plain.from_json(wire.Command, plain.to_json(value)) == value
    assert plain.to_plain(value) == plain.to_plain(plain.from_json(wire.Command, plain.to_json(value)))


# --- what is on disk -----------------------------------------------------------------------------


def record(data: bytes) -> None:
    same(encode(decode_record(data)), data)


def group(data: bytes) -> None:
    found = groups.next_group(data, 0, 1, groups.EMPTY.digest)
    if found is None:
        raise BadFrame("no group")
    again = groups.encode_group(1, groups.EMPTY.digest, groups.split_records(found.payload))
    assert again == (found.digest, data[: found.end])


def slot(data: bytes) -> None:
    mark = groups.decode_slot(data)
    if mark is None:
        raise BadFrame("no slot")
    same(groups.encode_slot(mark), data)


def journal_file(data: bytes) -> None:
    """A segment of this content: opened, it gives the records that were written, or nothing at all."""
    disk = SimulatedDisk()
    for name, whole in corpus.journal_files().items():
        disk.write(name, whole if name == journal.MARKER else data)
    _, found = journal.Journal.open(disk)
    assert found == journalled()


@cache
def journalled() -> list[bytes]:
    disk = SimulatedDisk()
    for name, whole in corpus.journal_files().items():
        disk.write(name, whole)
    return journal.records(disk)


def log_entry(data: bytes) -> None:
    same(data[:1] + encode(parse(data)), data)


# --- what proves something -----------------------------------------------------------------------


@cache
def verifier() -> Verifier:
    return Verifier(corpus.ledger()[0].genesis)


def receipt(data: bytes) -> None:
    """What is believed is a true receipt, of all records of a transaction or of some."""
    value = receipts.decode(data)
    same(receipts.encode(value), data)
    verifier().verify_receipt(data)
    true = next(r for r in map(receipts.decode, corpus.proven()) if r.header == value.header)
    assert msgspec.structs.replace(value, records=true.records) == true, "a forged receipt was believed"
    assert set(value.records) <= set(true.records), "a forged record was believed"


def receipt_json(data: bytes) -> None:
    value = receipts.from_json(data)
    assert receipts.from_json(receipts.to_json(value)) == value
    assert receipts.decode(receipts.encode(value)) == value


def receipt_text(data: bytes) -> None:
    genesis = corpus.ledger()[0].genesis
    same(receipts.to_text(genesis, receipts.from_text(genesis, data)).encode(), data)


def receipt_texts() -> list[bytes]:
    made, sent = corpus.ledger()
    return [receipts.to_text(made.genesis, made.receipt(one)).encode() for one in sent]


def receipt_jsons() -> list[bytes]:
    return [receipts.to_json(receipts.decode(data)) for data in corpus.proven()]


def state_proof(data: bytes) -> None:
    """What is believed is so: a proof of one key's absence may show that of another one, too."""
    value = wire.decode(proofs.state_proofs, data)
    same(encode(value), data)
    verifier().verify_state_proof(data)
    height = wire.decode_block(value.block).height
    true = corpus.ledger()[0].state.get_at(full_key(value.module, value.key), height)
    assert value.value == true, "a forged state proof was believed"


def note_seeds() -> list[bytes]:
    return [
        receipts.note(corpus.ledger()[0].genesis, r.certificate, r.log)
        for r in map(receipts.decode, corpus.proven())
    ]


def note(data: bytes) -> None:
    """The form has one spelling; what verifies has the true size and root."""
    origin, size, root, lines = notes.parse_note(data)
    body = notes.checkpoint_body(origin, size, root)
    same(body + b"\n" + "".join(notes._line(name, blob) for name, blob in lines).encode(), data)
    proven = verifier().verify_note(data)
    made = corpus.ledger()[0]
    assert (proven.size, proven.root) == (made.log.size, made.log.root(made.log.size))


# --- what people write ---------------------------------------------------------------------------


def genesis_text(data: bytes) -> None:
    value = Genesis.from_json(data)
    again = Genesis.from_json(value.to_json())
    assert again == value
    assert again.chain == value.chain
    assert value.chain.origin.startswith(value.name)
    assert value.quorum.quorum <= len(value.replicas)


def settings(data: bytes) -> None:
    """A configuration file: settings of the right types."""
    with tempfile.TemporaryDirectory(prefix="grootboek-fuzz-") as folder:
        path = Path(folder) / "node.toml"
        path.write_bytes(data)
        value = config.load(path, {}, {})
    assert isinstance(value.data, Path)


SETTINGS = b"""data = "d"
genesis = "genesis.json"
replica = "replica-1"
listen = "127.0.0.1:7000"
api = "[::1]:80"
log_format = "json"
log_level = "debug"

[client]
node = "a"
"""


def command_texts() -> list[bytes]:
    commands = [command for one in corpus.ledger()[1] for command in one.transaction.commands]
    return [plain.to_json(wire.decode(wire.commands, command)) for command in commands]


def frames_of_transactions() -> list[bytes]:
    made = corpus.cluster()
    return [made.prepared(number, commands=count).frame for number, count in ((1, 1), (50, 3), (51, 1))]


def requests() -> list[bytes]:
    single = frames_of_transactions()
    return [*single, b"".join(single)]


def segments() -> list[bytes]:
    return [data for name, data in corpus.journal_files().items() if name != journal.MARKER]


def slots() -> list[bytes]:
    marker = corpus.journal_files()[journal.MARKER]
    return [marker[: groups.SLOT_BYTES], marker[groups.SLOT_BYTES :]]


def streams() -> list[bytes]:
    return [b"".join(len(p).to_bytes(4, "big") + p for p in corpus.frames()[:4])]


PEER: Errors = (PeerError,)
PROOF: Errors = (ProofError, BadFrame)

TARGETS: dict[str, Target] = {
    "frame": Target(corpus.frames, frame, PEER),
    "stream": Target(streams, stream, PEER),
    "gate": Target(corpus.frames, signed_frame, PEER, gentle=True),
    "greeting": Target(lambda: [*good(Meeting())], greeting, PEER),
    "message": Target(corpus.messages, canonical(wire.protocol_messages), PEER),
    "certificate": Target(corpus.certificates, canonical(wire.certificates), PEER),
    "batch": Target(requests, batch, PEER, gentle=True),
    "request": Target(requests, request, (ApiError, TransactionError), gentle=True),
    "transaction": Target(frames_of_transactions, transaction, (TransactionError,)),
    "command-text": Target(command_texts, command_text, (msgspec.DecodeError,)),
    "record": Target(corpus.records, record, PEER),
    "group": Target(segments, group, PEER),
    "slot": Target(slots, slot, PEER),
    "journal": Target(segments, journal_file, (GrootboekError,), gentle=True),
    "log-entry": Target(corpus.log_entries, log_entry, PEER),
    "receipt": Target(corpus.proven, receipt, PROOF),
    "receipt-json": Target(receipt_jsons, receipt_json, (BadReceipt,)),
    "receipt-text": Target(receipt_texts, receipt_text, PROOF),
    "answer": Target(corpus.answers, canonical(proofs.answers), PEER),
    "state-proof": Target(corpus.state_proofs, state_proof, PROOF),
    "note": Target(note_seeds, note, PROOF),
    "genesis": Target(lambda: [corpus.ledger()[0].genesis.to_json()], genesis_text, (GenesisError,)),
    "settings": Target(lambda: [SETTINGS], settings, (ConfigError,), gentle=True),
}


def seeded(name: str, seed: int) -> random.Random:
    """The randomness of one target in one run."""
    return random.Random(f"{name}/{seed}")


def names(only: Sequence[str]) -> list[str]:
    """Those targets, or all."""
    return [name for name in TARGETS if not only or name in only]
