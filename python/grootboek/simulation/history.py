"""What the clients of a run wrote and read, and whether an order explains it (PS9).

Each transaction writes two registers: its own place in the log, and the document that it anchors where it is
applied. As soon as one is answered both are read, and so are those of the newest transaction under way, as
``AsyncClient.latest_height`` tells clients to read. Whatever that leaves open goes against the reader: liars
say that they have nothing, and of the replicas that are far enough the one that is least far answers.

Reading sends no frame, draws nothing and takes no time, so that a run is the same with it and without it.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain

from msgspec import Struct

from grootboek.errors import NotFound, Pruned
from grootboek.ledger import Ledger
from grootboek.modules.records import DocumentKey, Records
from grootboek.node.intake import Request
from grootboek.proofs import Final
from grootboek.simulation.founding import place_of
from grootboek.simulation.heap import Heap
from grootboek.simulation.linearizability import Operation, check
from grootboek.simulation.monitor import Violation
from grootboek.simulation.replica import SimulatedReplica
from grootboek.types import Epoch
from grootboek.wire import APPLIED, Certificate, block_of

__all__ = ["History"]

READER = -1
"""The client that reads."""


class _Write(Struct, frozen=True):
    """A transaction, from the moment it was submitted."""

    number: int
    client: int
    identity: bytes
    document: DocumentKey
    invoked: int

    @property
    def place(self) -> str:
        """The register of its place in the log."""
        return f"transaction {self.number}"

    def returned(self, result: object, at: int | None) -> Iterator[Operation]:
        """What it wrote, as its result tells; None: that is not known."""
        yield Operation(self.client, self.place, "write", self.number, self.invoked, at)
        if not isinstance(result, Final) or result.records[0][0] == APPLIED:
            yield Operation(self.client, self.document.key, "write", self.number, self.invoked, at)


class History:
    """The operations of all clients, in simulated nanoseconds, of which each tells one event."""

    def __init__(
        self, heap: Heap, founding: Epoch, replicas: Sequence[SimulatedReplica], faulty: set[int]
    ) -> None:
        """``faulty``: the places of those that lie, as they become known."""
        self.answers: list[tuple[int, Request]] = []
        """Transactions by number, and their answers, since the last ``proceed``."""
        self.operations: list[Operation] = []
        """Those that are over."""
        self._heap = heap
        self._epoch = founding
        self._replicas = replicas
        self._faulty = faulty
        self._writes: dict[int, _Write] = {}
        self._told: tuple[_Write, object] | None = None
        self._reads: list[tuple[_Write, int]] = []
        self._last = 0

    def submitted(self, number: int, client: int, identity: bytes, document: DocumentKey) -> None:
        """A client begins to submit its transaction of that number, which is to anchor ``document``."""
        self._writes[number] = _Write(number, client, identity, document, self._moment())

    def proceed(self) -> None:
        """Note what was answered, and read it, and what is under way."""
        answers, self.answers = self.answers, []
        for number, request in answers:
            write, result = self._writes.pop(number, None), request.settled[0]
            if write is not None:
                self.operations += write.returned(result, self._moment())
                self._reads.append((write, self._moment()))
                self._told = write, result
        if self._writes:
            self._reads.append((next(reversed(self._writes.values())), self._moment()))
        self._read()

    def doubt(self) -> None:
        """Read again what was answered last, where a quorum says that it is not that far."""
        match self._told:
            case write, Final(index) if (size := self._wanted()) is not None and size <= index:
                self._reads.append((write, self._moment()))
                self._read()

    def check(self) -> None:
        """Raise Violation where no order explains the operations."""
        self.proceed()
        unknown = chain.from_iterable(write.returned(None, None) for write in self._writes.values())
        if anomaly := check([*self.operations, *unknown]):
            raise Violation(f"PS9: {anomaly}")

    def _moment(self) -> int:
        self._last = max(self._last + 1, 1_000 * self._heap.now_us)
        return self._last

    # --- reading ---------------------------------------------------------------------------------

    def _read(self) -> None:
        """Do what is to be read, where enough replicas answer; else it waits for more answers."""
        size = self._wanted()
        for ledger, certificate in () if size is None else self._certified(size):
            with suppress(NotFound, Pruned):  # it has leapt over that height
                height = block_of(certificate).height
                seen = [self._seen(ledger, certificate.size, height, write) for write, _ in self._reads]
                for (write, invoked), (place, document) in zip(self._reads, seen, strict=True):
                    at = self._moment()
                    self.operations += (
                        Operation(READER, write.place, "read", place, invoked, at),
                        Operation(READER, write.document.key, "read", document, invoked, at),
                    )
                self._reads = []
                return

    def _seen(self, ledger: Ledger, size: int, height: int, write: _Write) -> tuple[int | None, int | None]:
        """Its number where the transaction is in the log, and that of the one that anchored the document."""
        index = ledger.locate(write.identity)
        place = None if index is None or index >= size else write.number
        row = ledger.query(Records.name, "document", write.document, height)
        return place, None if row is None else int.from_bytes(row.digest, "big")

    def _wanted(self) -> int | None:
        """How long the log must be to read from; None where too few replicas answer."""
        said: list[int] = []
        for info in self._epoch.replicas:
            replica = self._replicas[place_of(info.name)]
            if replica.me in self._faulty:
                said.append(0)
            elif replica.answers and replica.engine.epoch.number > self._epoch.number:
                self._epoch = replica.engine.epoch
                return self._wanted()
            elif replica.answers and replica.engine.complete:
                said.append(replica.engine.ledger.size)
        return self._epoch.reached(said)

    def _certified(self, size: int) -> list[tuple[Ledger, Certificate]]:
        """The ledgers that are certified that far, the shortest first."""
        ledgers = [r.engine.ledger for r in self._replicas if r.answers and r.me not in self._faulty]
        found = [
            (ledger, certificate)
            for ledger in ledgers
            if (certificate := ledger.certificate) is not None and certificate.size >= size
        ]
        return sorted(found, key=lambda item: item[1].size)
