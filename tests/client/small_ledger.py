"""A ledger of a few blocks, made by hand: what a verifier sees, without the code that makes it."""

import base64
from dataclasses import dataclass, field

from grootboek import notes, wire
from grootboek._core import Log, SigningKey, State, command_path, digest
from grootboek.client.answers import entries
from grootboek.client.transactions import Prepared
from grootboek.proofs import Answer, Final, Range, Receipt, RecordProof, StateProof
from grootboek.types import Genesis, Limits, ReplicaInfo
from grootboek.wire import APPLIED, BLOCK_ENTRY, BlockEntry, Certificate, Cosignature

EPOCH_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


def key(*names: object) -> SigningKey:
    return SigningKey(digest("/".join(map(str, names)).encode()))


def found(n: int = 4, name: str = "example.org/test") -> Genesis:
    placeholder = base64.b64encode(b"none").decode()
    replicas = tuple(
        ReplicaInfo(
            name=f"replica-{i}",
            address=f"127.0.0.1:{7000 + i}",
            api=f"127.0.0.1:{8000 + i}",
            voting=key(i, "voting").public.hex(),
            cosigning=key(i, "cosigning").public.hex(),
            log=key(i, "log").public.hex(),
            transport_certificate=placeholder,
            api_certificate=placeholder,
        )
        for i in range(n)
    )
    genesis = Genesis(name=name, time=EPOCH_MS, limits=Limits(), modules={"records": 1}, replicas=replicas)
    genesis.check()
    return genesis


@dataclass
class SmallLedger:
    """Appends blocks; proves and certifies what it holds."""

    genesis: Genesis = field(default_factory=found)
    log: Log = field(default_factory=Log)
    state: State = field(default_factory=State)
    blocks: list[tuple[bytes, int]] = field(default_factory=list)
    finals: dict[bytes, Final] = field(default_factory=dict)
    sent: dict[bytes, Prepared] = field(default_factory=dict)
    bundle: list[bytes] = field(default_factory=list)

    def append(self, *transactions: Prepared, outcome: str = APPLIED) -> None:
        """One block of these transactions, each command with the same outcome."""
        for prepared in transactions:
            final = Final(self.log.size, tuple((outcome, ()) for _ in prepared.transaction.commands))
            self.finals[prepared.id] = final
            self.sent[prepared.id] = prepared
            for entry in entries(prepared, final):
                self._entry(entry)
        height = len(self.blocks) + 1
        writes = [(full_key("records", p.id), b"row") for p in transactions]
        root = self.state.commit(height, sorted(writes))
        block = BlockEntry(
            height=height,
            seq=height,
            time=EPOCH_MS + 1_000 * height,
            epoch=0,
            transactions=len(transactions),
            records=sum(len(p.transaction.commands) for p in transactions),
            duplicates=0,
            expired=0,
            state=root,
            modules=(("records", 1),),
        )
        raw = BLOCK_ENTRY + wire.encode(block)
        self.blocks.append((raw, self.log.size))
        self._entry(raw)

    def _entry(self, entry: bytes) -> None:
        self.bundle.append(entry)
        self.log.append(len(entry).to_bytes(2, "big") + entry)

    def certificate(self, signers: tuple[int, ...] = (0, 1, 3), times: tuple[int, ...] = ()) -> Certificate:
        size, (block, index) = self.log.size, self.blocks[-1]
        root = self.log.root(size)
        made = []
        for position, i in enumerate(signers):
            time = times[position] if times else EPOCH_MS // 1000 + i
            signed = notes.cosigned_bytes(self.genesis.chain.origin, size, root, time)
            made.append(Cosignature(i, time, key(i, "cosigning").sign(signed)))
        return Certificate(size, root, block, tuple(self.log.inclusion(index, size)), tuple(made))

    def log_signature(self, replica: int = 2) -> tuple[int, bytes]:
        size = self.log.size
        body = notes.checkpoint_body(self.genesis.chain.origin, size, self.log.root(size))
        return replica, key(replica, "log").sign(body)

    def receipt(self, prepared: Prepared, records: tuple[int, ...] | None = None) -> Receipt:
        size, final = self.log.size, self.finals[prepared.id]
        header, *rest = entries(prepared, final)
        chosen = range(len(rest)) if records is None else records
        return Receipt(
            header=header,
            index=final.index,
            path=tuple(self.log.inclusion(final.index, size)),
            records=tuple(
                RecordProof(
                    rest[i],
                    tuple(self.log.inclusion(final.index + 1 + i, size)),
                    tuple(command_path(prepared.transaction.commands, i)),
                )
                for i in chosen
            ),
            certificate=self.certificate(),
            log=self.log_signature(),
        )

    def answer(self, *sent: Prepared) -> Answer:
        """All in one range, from the first to the last of them."""
        size = self.log.size
        results = tuple(self.finals[prepared.id] for prepared in sent)
        start = min(result.index for result in results)
        end = max(result.index + 1 + len(result.records) for result in results)
        item = Range(start, self.log.leaves(start, end), tuple(self.log.range_proof(start, end, size)))
        return Answer(results, (item,), self.certificate(), self.log_signature())

    def state_proof(self, state_key: bytes, height: int) -> StateProof:
        block, index = self.blocks[height - 1]
        full = full_key("records", state_key)
        return StateProof(
            module="records",
            key=state_key,
            value=self.state.get_at(full, height),
            proof=self.state.prove(full, height),
            block=block,
            index=index,
            path=tuple(self.log.inclusion(index, self.log.size)),
            certificate=self.certificate(),
        )


def full_key(module: str, name: bytes) -> bytes:
    """As docs/spec/state.md has it: the length and the name of the module, then its own key."""
    return bytes([len(module)]) + module.encode() + name
