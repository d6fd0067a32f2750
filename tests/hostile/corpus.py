"""Valid values of every format: what four replicas said and wrote, and what a small ledger proves."""

from functools import cache

from msgspec import Struct

from grootboek import receipts
from grootboek.client.transactions import Prepared, encode_command, prepare
from grootboek.consensus import decode_record
from grootboek.ledger.log import EntryLog
from grootboek.node import journal
from grootboek.wire import Envelope, Status, decode, encode, protocol_messages
from tests.client.small_ledger import EPOCH_MS, SmallLedger, key
from tests.hostile.faulty import VICTIM
from tests.node.cluster import Cluster

EACH = 6
"""How many values of one type are enough to start from."""


class Anchor(Struct, frozen=True, array_like=True):
    """A command of the tests' own."""

    key: str
    digest: bytes


@cache
def cluster() -> Cluster:
    """Two view changes, a replica that caught up, and some blocks."""
    made = Cluster().start()
    for number in range(4):
        made.commit(number, replica=number)
    made.replicas[0].kill()
    made.commit(10, 11, replica=3)
    made.boot(0)
    made.run(3_000)
    made.replicas[1].kill()
    made.submit(3, made.prepared(12, commands=3).frame)
    made.run(1_500)
    made.boot(1)
    made.run(6_000)
    return made


def _some(values: list[bytes], kinds: list[object]) -> list[bytes]:
    """The first ones of each kind."""
    chosen: dict[object, list[bytes]] = {}
    for value, kind in zip(values, kinds, strict=True):
        if value not in (held := chosen.setdefault(kind, [])) and len(held) < EACH:
            held.append(value)
    return [value for held in chosen.values() for value in held]


@cache
def frames() -> list[bytes]:
    """As they went over the wire; of an Envelope's messages some of each kind."""
    sent = [frame for _, _, frame in cluster().sent]
    kinds = [
        type(decode(protocol_messages, frame.signed.payload)) if isinstance(frame, Envelope) else type(frame)
        for frame in sent
    ]
    return _some([encode(frame) for frame in sent], [*kinds])


@cache
def messages() -> list[bytes]:
    """The payloads inside Envelopes."""
    payloads = [f.signed.payload for _, _, f in cluster().sent if isinstance(f, Envelope)]
    return _some(payloads, [type(decode(protocol_messages, payload)) for payload in payloads])


@cache
def certificates() -> list[bytes]:
    """The stable checkpoints that replicas told each other."""
    told = [f.stable for _, _, f in cluster().sent if isinstance(f, Status) and f.stable is not None]
    return [encode(certificate) for certificate in told[-EACH:]]


@cache
def records() -> list[bytes]:
    """The core's records in the journals, without the byte in front."""
    found = [item[1:] for r in cluster().replicas for item in journal.records(r.disk) if item[:1] == b"\x01"]
    return _some(found, [type(decode_record(item)) for item in found])


@cache
def journal_files() -> dict[str, bytes]:
    """The journal of one replica: the marker and its segments."""
    files = cluster().replicas[VICTIM].disk.files()
    return {n: d for n, d in files.items() if n.startswith((journal.FOLDER, journal.GUARD))}


@cache
def log_entries() -> list[bytes]:
    """Of the log, all kinds of them."""
    log = EntryLog.open(cluster().replicas[VICTIM].disk.copy())
    entries = log.read(0, log.size)
    return _some(entries, [entry[:1] for entry in entries])


@cache
def ledger() -> tuple[SmallLedger, list[Prepared]]:
    """A ledger whose proofs of each kind can be had."""
    made = SmallLedger()
    transactions = [
        prepare(
            made.genesis.chain,
            [key("citizen", i)],
            [
                encode_command("records", 1, Anchor(f"{i}/{n}", bytes(32)), salt=bytes(16))
                for n in range(i + 1)
            ],
            expiry=EPOCH_MS + 60_000,
            nonce=i,
        )
        for i in range(4)
    ]
    for transaction in transactions:
        made.append(transaction)
    return made, transactions


@cache
def proven() -> list[bytes]:
    """Receipts in msgpack."""
    made, transactions = ledger()
    return [receipts.encode(made.receipt(transaction)) for transaction in transactions]


@cache
def answers() -> list[bytes]:
    """Answers of the API."""
    made, transactions = ledger()
    return [encode(made.answer(*transactions[:count])) for count in (1, 2, 4)]


@cache
def state_proofs() -> list[bytes]:
    """Of a key that is there, and of one that is not."""
    made, transactions = ledger()
    return [encode(made.state_proof(name, 3)) for name in (transactions[0].id, b"absent")]
