"""What an engine consists of: the parts of one replica in one epoch, and the batch bodies that it holds."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from msgspec.structs import replace

from grootboek._core import Pool, TransactionBatch
from grootboek.consensus import (
    Config,
    Event,
    Replica,
    Submitted,
)
from grootboek.consensus.newview import proposal_in
from grootboek.errors import Damaged
from grootboek.ledger import Ledger
from grootboek.node.bodies import Bodies
from grootboek.node.catchup import CatchUp
from grootboek.node.counters import Counters
from grootboek.node.gate import Gate, Verify, verify_replicas
from grootboek.node.guard import High
from grootboek.node.intake import Intake, Request
from grootboek.node.journal import Journal
from grootboek.node.journalled import Held, body_record, loss
from grootboek.node.outbox import Outbox
from grootboek.node.signers import Keys, Signers
from grootboek.node.testimony import Testimony
from grootboek.proofs import Answer
from grootboek.types import Epoch, Genesis
from grootboek.wire import Batch, Certificate, FetchBatch

__all__ = ["Parts"]

OWN_BATCHES = 4
"""How many batches of its own a replica disseminates ahead of their execution."""
PROMPT_BATCHES = 2
"""How many of them it cuts at once, however small; beyond that only full ones."""
KEPT_WINDOWS = 8
"""Of how many windows of sequence numbers the signers' guard remembers each vote."""


class Parts:
    """Core, gate, signers, ledger, journal, intake and bodies, joined; ``Engine`` sets them in motion."""

    core: ClassVar[type[Replica]] = Replica
    """The simulator and tests run the same core with its contract checked."""

    def __init__(  # noqa: PLR0917  # the parts that it joins
        self,
        genesis: Genesis,
        me: int,
        keys: Keys,
        ledger: Ledger,
        journal: Journal,
        held: Held,
        seat_in: Callable[[Epoch], tuple[int, Keys]] | None = None,
        *,
        verify: Verify = verify_replicas,
    ) -> None:
        """``held``: what ``journal`` held when it was opened; ``verify``: how votes and cosignatures are
        verified. Call ``start`` next.

        ``me`` and ``keys`` are those of the ledger's last epoch. An index of n or above is an observer's:
        it follows the ledger and has no vote. ``seat_in`` gives both for a later epoch; by default they
        stay as they are.

        Raises Damaged where this replica has forgotten votes, and the others are too few to do without it.
        """
        self.journal = journal
        self._held = held
        opened = ledger.epochs.last
        self._began = self.journal.high
        """How far it had signed when it started, or when it came back; None where it does not know."""
        votes = me < opened.quorum.n
        self._lost = loss(self.journal.high, held.records, ledger, votes=votes)
        if self._lost is not None and opened.quorum.n <= opened.quorum.quorum:
            detail = "this replica has forgotten what it has signed, and the others are no quorum"
            raise Damaged(detail, where="journal")
        self.genesis = genesis
        self.ledger = ledger
        self.limits = genesis.limits
        self.counters = Counters()
        self._seat_in = seat_in or (lambda _epoch: (me, keys))
        self._verify = verify
        self._enter(me, keys)
        self.bodies = Bodies(self.limits.pool_bytes, self.limits.pool_transactions)
        pool = Pool(genesis.chain.digest, self.limits.pool_transactions, self.limits.pool_bytes)
        self.intake = Intake(ledger, pool, self.limits)
        self.catchup = CatchUp(ledger, me, self.epoch.quorum.n)
        self.reachable: set[int] = set()
        """The peers that are connected."""
        self._elsewhere: set[int] = set()
        """Those that are in a later epoch, as they say: they vote in this one no more."""
        self.testimony = Testimony(genesis, keys.voting, ledger, self.journal)
        for evidence in held.evidence:
            self.testimony.recall(evidence)
        self._wanted: dict[bytes, int] = {}
        self._syncing = False
        self._flush_due = False
        """Whether a time for a flush is set."""
        self._stored = 0

    def _enter(self, me: int, keys: Keys) -> None:
        """Become replica ``me`` of the ledger's last epoch: a core, a gate and signers of that epoch."""
        self.epoch = self.ledger.epochs.last
        self.me = me
        n = self.epoch.quorum.n
        config = Config(chain=self.genesis.chain, epoch=self.epoch.number, me=me, n=n, limits=self.limits)
        self.signers = Signers(
            self.genesis.chain, self.epoch.number, me, keys, KEPT_WINDOWS * self.limits.window
        )
        self.gate = Gate(self.genesis, self.epoch, self._opened, self.counters, self._verify)
        self.replica = self.core(config, self.signers.message)

    @property
    def _opened(self) -> Certificate | None:
        """The certificate of the block that opened this epoch; None in the founding one."""
        handovers = self.ledger.epochs.handovers
        return handovers[-1].certificate if handovers else None

    @property
    def _high(self) -> High | None:
        """How far was signed in this epoch, as far as the marker tells."""
        high = self.journal.high
        if high is None or high.epoch >= self.epoch.number:
            return high
        return replace(high, epoch=self.epoch.number, view=0, seq=0)

    # --- what it tells --------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether the ledger holds all that this replica has ever signed for, in the epoch that it is in:
        after a loss of power it may hold less for a while. Then its size tells what was certified before.
        """
        ledger = self.ledger
        if ledger.closed or self.epoch is not ledger.epochs.last:
            return False
        return not self.replica.silent and self.signers.high.size <= ledger.size

    def answer(self, request: Request) -> Answer:
        """The answer to a settled request, under the newest certificate."""
        self.counters.answers += 1
        certificate = self.ledger.certificate
        if certificate is None:
            return Answer(results=request.settled, ranges=(), certificate=None, log=None)
        return self.ledger.answer(request.settled, certificate, self.signers.log(certificate))

    # --- bodies ----------------------------------------------------------------------------------

    def _named(self) -> set[bytes]:
        """The batches that a proposal above L names: it may name some that are executed already."""
        named: set[bytes] = set()
        for slot in self.replica.slots.values():
            values = [slot.value, slot.decided]
            if slot.certificate is not None and (
                slot.value is None or slot.certificate_view < slot.value.view
            ):
                values.append(proposal_in(slot.certificate.pre_prepare))
            named.update(digest for value in values if value is not None for digest in value.batches)
        return named

    def _drop_bodies(self, seq: int) -> None:
        """Forget old bodies; the core votes for none of them again without having fetched it."""
        named = self._named()
        for digest in self.bodies.drop(seq, named):
            self.replica.done.pop(digest, None)
        self._wanted = {digest: tries for digest, tries in self._wanted.items() if digest in named}

    def _admit(self, batch: TransactionBatch, origin: int, *, logged: bool = False) -> list[Event]:
        """Hold a body and journal it, so that it is durable before any vote that names it."""
        if self.bodies.add(batch, origin):
            self.journal.append(body_record(batch, origin))
        if logged:
            self.bodies.executed([batch.digest], self.ledger.seq)
        return [self._submitted(batch, origin, logged=logged)]

    def _submitted(self, batch: TransactionBatch, origin: int, *, logged: bool = False) -> Submitted:
        own = origin == self.me
        return Submitted(batch.digest, len(batch), len(batch.buffer), own=own, logged=logged, origin=origin)

    def _logged(self, batch: TransactionBatch) -> bool:
        """Whether ordering it could add nothing: each transaction is in the log, or expired."""
        time = self.ledger.time
        return all(
            expiry <= time or self.ledger.locate(identity) is not None
            for identity, expiry in zip(batch.ids, batch.expiries, strict=True)
        )

    def _cut(self, out: Outbox) -> list[Event]:
        """Disseminate a batch of our own where it is time for one."""
        if not self.intake.pool:
            return []
        outstanding = self.bodies.outstanding(self.me)
        batch = self.intake.cut(prompt=outstanding < PROMPT_BATCHES) if outstanding < OWN_BATCHES else None
        if batch is None:
            return []
        self.counters.batches_cut += 1
        out.send(None, Batch(batch.buffer))
        return self._admit(batch, self.me)

    def _fetch(self, digests: Sequence[bytes], out: Outbox) -> None:
        """Ask for missing bodies, another peer at each attempt."""
        peers = self.replica.peers
        for digest in digests:
            attempt = self._wanted.get(digest, 0)
            self._wanted[digest] = attempt + 1
            out.send(peers[(digest[0] + attempt) % len(peers)], FetchBatch((digest,)))

    def _offer(self, to: int, digest: bytes, out: Outbox) -> None:
        batch = self.bodies.get(digest)
        if batch is not None:
            out.send(to, Batch(batch.buffer))

    def _recovered_body(self, item: bytes) -> list[Event]:
        """A body from the journal: it was judged before it was written."""
        origin = int.from_bytes(item[1:3], "big")
        batch = TransactionBatch(item[3:], self.genesis.chain.digest, check_signatures=False)
        if not self.bodies.add(batch, origin):
            return []
        logged = self._logged(batch)
        if logged:
            self.bodies.executed([batch.digest], self.ledger.seq)
        return [self._submitted(batch, origin, logged=logged)]
