"""What a replica says and writes, in words that stay the same from run to run.

No digest is shown: a batch is named by the numbers of its transactions, a value by its batches. So a
trace changes when the behaviour does, and not when an encoding or a key does.
"""

from collections.abc import Iterable

from grootboek._core import TransactionBatch
from grootboek.consensus.newview import proposal_in, view_change_in
from grootboek.simulation.founding import place_of
from grootboek.transfer import Chunk, FetchChunk, FetchSnapshot, Offer
from grootboek.types import Chain, Epoch
from grootboek.wire import (
    Batch,
    Certificate,
    Checkpoint,
    Commit,
    Entries,
    Envelope,
    Evidence,
    FetchBatch,
    FetchEntries,
    Frame,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    ProtocolMessage,
    Signed,
    Status,
    Suspect,
    ViewChange,
    block_of,
    decode,
    decode_block,
    protocol_messages,
    value_digest,
)

KINDS: dict[type, str] = {
    Batch: "BATCH",
    Checkpoint: "CHECKPOINT",
    Chunk: "CHUNK",
    Commit: "COMMIT",
    Entries: "ENTRIES",
    Evidence: "EVIDENCE",
    FetchBatch: "FETCH-BATCH",
    FetchChunk: "FETCH-CHUNK",
    FetchEntries: "FETCH-ENTRIES",
    FetchSnapshot: "FETCH-SNAPSHOT",
    NewView: "NEW-VIEW",
    Offer: "OFFER",
    PrePrepare: "PRE-PREPARE",
    Prepare: "PREPARE",
    Status: "STATUS",
    Suspect: "SUSPECT",
    ViewChange: "VIEW-CHANGE",
}


def kind_of(frame: Frame) -> str:
    """The name of a message's type, as the protocol writes it."""
    if isinstance(frame, Envelope):
        return KINDS[type(decode(protocol_messages, frame.signed.payload))]
    return KINDS[type(frame)]


def place(epoch: Epoch, index: int) -> int:
    """The place in the network of a replica of ``epoch``; n and above are observers."""
    n = epoch.quorum.n
    return place_of(epoch.replicas[index].name) if index < n else index - n


def replicas(epoch: Epoch, indices: Iterable[int]) -> str:
    """Replicas of an epoch by their places, which stay the same from epoch to epoch."""
    return ",".join(f"r{place(epoch, i)}" for i in indices)


def numbers(found: Iterable[int]) -> str:
    """Sorted numbers, runs of them as a range."""
    runs: list[list[int]] = []
    for number in sorted(found):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)


class Words:
    """Knows the transactions of one scenario by their numbers."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._transactions: dict[bytes, int] = {}
        self._batches: dict[bytes, str] = {}
        self._values: dict[bytes, str] = {}

    def know(self, identity: bytes, number: int) -> None:
        """A client made this transaction."""
        self._transactions[identity] = number

    def learn(self, batch: TransactionBatch) -> str:
        """The name of a batch, by which its digest is known from here on."""
        found = (self._transactions[identity] for identity in batch.ids)
        return self._batches.setdefault(batch.digest, "{" + numbers(found) + "}")

    def batches(self, digests: Iterable[bytes]) -> str:
        """The batches of a value; NULL where there are none."""
        return "+".join(self._batches.get(digest, "{?}") for digest in digests) or "NULL"

    def value(self, value: PrePrepare, epoch: int) -> str:
        """A value by its batches; with a mark where another one at that number has the same batches."""
        digest = value_digest(self._chain, epoch, value.seq, value.time, value.batches)
        if digest not in self._values:
            name = self.batches(value.batches)
            taken = [n for n in self._values.values() if n.rstrip("'") == f"n{value.seq} {name}"]
            self._values[digest] = f"n{value.seq} {name}" + "'" * len(taken)
        return self._values[digest]

    def frame(self, frame: Frame, epoch: Epoch) -> str:
        """A whole message in one line."""
        return " ".join(filter(None, (kind_of(frame), self._details(frame, epoch))))

    def _details(self, frame: Frame, epoch: Epoch) -> str:
        match frame:
            case Envelope(signed):
                return self._signed(decode(protocol_messages, signed.payload), epoch)
            case Checkpoint(_, _, block):
                return f"block {decode_block(block).height}"
            case Status():
                return _status(frame)
            case Suspect(view):
                return f"v{view}"
            case Evidence(number, replica):
                return f"against replica {replica} of epoch {number}"
            case _:
                return self._transfer(frame)

    def _transfer(self, frame: Frame) -> str:
        match frame:
            case Batch(body):
                return self.learn(TransactionBatch(body, self._chain.digest, check_signatures=False))
            case FetchBatch(digests):
                return self.batches(digests)
            case FetchEntries(start, size):
                return f"from {start} to {size}"
            case Entries(start, size, _, proof):
                return f"from {start} {'towards' if proof else 'to'} {size}"
            case _:
                return _snapshot(frame)

    def _signed(self, message: ProtocolMessage, epoch: Epoch) -> str:
        match message:
            case PrePrepare(view):
                return f"v{view} {self.value(message, epoch.number)}"
            case Prepare(view, seq, digest) | Commit(view, seq, digest):
                return f"v{view} {self._values.get(digest, f'n{seq} {{?}}')}"
            case ViewChange(view, stable, prepared):
                return f"v{view} after {_block(stable)}, prepared {self._prepared(prepared, epoch.number)}"
            case NewView(view, view_changes, proposals):
                wishes = replicas(epoch, (s.sender for s in view_changes))
                forced = ", ".join(self.value(proposal_in(s), epoch.number) for s in proposals) or "nothing"
                return f"v{view} from {wishes}, carries {forced}"

    def _prepared(self, certificates: Iterable[Prepared], epoch: int) -> str:
        values = [proposal_in(one.pre_prepare) for one in certificates]
        return ", ".join(f"{self.value(v, epoch)} in v{v.view}" for v in values) or "nothing"

    def wish(self, signed: Signed) -> int:
        """The view that a VIEW-CHANGE asks for."""
        return view_change_in(signed).view


def _block(certificate: Certificate | None) -> str:
    return "nothing" if certificate is None else f"block {block_of(certificate).height}"


def _status(status: Status) -> str:
    state = "in" if status.active else "wants"
    told = f"{state} v{status.view}, executed n{status.executed}, certified {_block(status.stable)}"
    later = f", epoch {status.epoch}" if status.epoch else ""
    return told + later + (", asks what it has said" if status.asking else "")


def _snapshot(frame: Frame) -> str:
    match frame:
        case FetchSnapshot(size):
            return f"up to {size}"
        case Offer(size, snapshots):
            heights = numbers(manifest.height for manifest, _ in snapshots)
            return f"up to {size}, of blocks {heights or '-'}"
        case FetchChunk(height, index) | Chunk(height, index):
            return f"{index} of block {height}"
        case _:
            return ""
