"""Signed transactions, and a ledger on a real disk where the keys of all replicas lie in one hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from grootboek._core import SigningKey, State, TransactionBatch, digest
from grootboek.client.transactions import Prepared, encode_command, prepare
from grootboek.disk import RealDisk
from grootboek.ledger import Block, Ledger, Module, Registry
from grootboek.modules.records import Anchor, Records
from grootboek.node.judging import judge_batch
from grootboek.proofs import Answer, Final
from grootboek.simulation.founding import certify, found, known_key, log_signature
from grootboek.simulation.heap import EPOCH_MS
from grootboek.types import Chain, Genesis, Party
from grootboek.wire import Certificate

BATCH = 1_000
KEYS = [known_key("bench", number) for number in range(BATCH)]
EXPIRY = EPOCH_MS + 500_000


def key_of(role: str) -> SigningKey:
    """Of the one party that holds a role."""
    return known_key("bench", role)


def party_of(role: str) -> bytes:
    """The id of that party."""
    return digest(role.encode())[:16]


def genesis_of(*modules: type[Module]) -> Genesis:
    """A ledger of four replicas with these modules, and a party for each of their roles."""
    parties = [
        Party(id=party_of(role).hex(), keys=(key_of(role).public.hex(),), roles=(role,))
        for module in modules
        for role in module.roles
    ]
    return found(4, {module.name: module.version for module in modules}, parties=parties)[0]


GENESIS = genesis_of(Records)
CHAIN = GENESIS.chain


def anchors(numbers: Iterable[int], chain: Chain = CHAIN) -> list[Prepared]:
    """Transactions of about 250 bytes, from a thousand keys in turn."""
    return [signed(KEYS[number % BATCH], Records, [anchor(number)], number, chain) for number in numbers]


def anchor(number: int) -> Anchor:
    """A document of its own."""
    return Anchor(f"bench/{number:08}", number.to_bytes(32, "big"))


def signed(
    key: SigningKey, module: type[Module], commands: Sequence[Struct], number: int, chain: Chain
) -> Prepared:
    """One transaction, which follows from its number."""
    salt = number.to_bytes(16, "big")
    encoded = [encode_command(module.name, module.version, command, salt=salt) for command in commands]
    return prepare(chain, [key], encoded, expiry=EXPIRY, nonce=number)


class BenchLedger:
    """A ledger in a folder, and what ordering it and its client would do around it."""

    def __init__(self, folder: Path, *modules: type[Module]) -> None:
        self.genesis = genesis_of(*modules)
        self.registry = Registry.of(*modules)
        self.disk = RealDisk(folder)
        self.keys = found(4, {})[1]
        state = State(str(folder / "state"))
        self.ledger = Ledger.open(self.genesis, self.disk, state, self.registry)

    def judged(self, sent: Iterable[Prepared]) -> TransactionBatch:
        """A batch as it comes out of the gate."""
        return judge_batch(b"".join(one.frame for one in sent), self.genesis)

    def execute(self, batch: TransactionBatch) -> Block:
        """The next block, a millisecond after the last."""
        return self.ledger.execute(self.ledger.seq + 1, self.ledger.time + 1, [batch])

    def certify(self) -> Certificate:
        """A quorum's certificate of the newest block, which the ledger learns of."""
        return certify(self.ledger, self.keys)

    def log_signature(self, certificate: Certificate) -> tuple[int, bytes]:
        """Replica 0's, over a certified checkpoint."""
        return log_signature(self.ledger, self.keys, certificate)

    def answer(self, sent: Sequence[Prepared]) -> Answer:
        """The certified answer to a request of these, which are all in the log."""
        certificate = self.certify()
        finals = [one for one in self.ledger.finals([one.id for one in sent]) if isinstance(one, Final)]
        return self.ledger.answer(finals, certificate, self.log_signature(certificate))

    def fill(self, blocks: int, each: int = BATCH) -> list[Prepared]:
        """Blocks of anchors: what was sent."""
        sent = []
        for block in range(blocks):
            numbers = range(block * each, (block + 1) * each)
            sent += (made := anchors(numbers, self.ledger.chain))
            self.execute(self.judged(made))
        return sent
