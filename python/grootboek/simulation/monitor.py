"""The invariants that a run checks after every turn of every correct replica."""

from collections.abc import Sequence

from grootboek.errors import BadCertificate, GrootboekError
from grootboek.ledger import Epochs
from grootboek.ledger.reading import Head
from grootboek.node.intake import Request
from grootboek.proofs import Final
from grootboek.simulation.founding import place_of
from grootboek.simulation.replica import SimulatedReplica
from grootboek.types import Epoch
from grootboek.wire import (
    Checkpoint,
    Commit,
    Envelope,
    Frame,
    NewView,
    Prepare,
    PrePrepare,
    ViewChange,
    decode,
    protocol_messages,
)

__all__ = ["Monitor", "Violation"]


class Violation(GrootboekError):
    """A run broke an invariant: the detail starts with the invariant's id."""

    code = "GB-6005"
    title = "a simulated run broke an invariant"
    fix = "Run the same seed again; the protocol, the ledger or the simulator has a defect."


class Monitor:
    """Compares replicas with each other, with their own past and with what clients were told."""

    def __init__(self) -> None:
        self.acknowledged: dict[bytes, int] = {}
        """Transaction id -> index of its header, as clients saw it."""
        self.faulty: set[int] = set()
        """Replicas that lie, or forgot: nothing is expected of them."""
        self.wiped: set[int] = set()
        """Replicas that have lost all memory: what they said before, nobody may know."""
        self._blocks: dict[int, Head] = {}
        """What was first told of each height."""
        self.highest: dict[int, int] = {}
        """The highest view of each epoch that a correct replica has been in, or has asked for."""
        self._heads: dict[int, Head] = {}
        """What each replica's history was when it was last compared."""
        self._last: Frame | None = None
        self._votes: dict[tuple[int, str, int, int, int], bytes] = {}
        self._roots: dict[tuple[int, int], bytes] = {}
        self._views: dict[tuple[int, int], tuple[int, int]] = {}

    def turn(self, replica: SimulatedReplica) -> None:
        """PS1 and PS5: one history, whichever replica tells it; PS10: the view never goes back;
        PL3: f liars move nobody to a view that no correct replica has asked for.
        """
        me, engine = replica.me, replica.engine
        if me in self.faulty:
            return
        if engine.ledger.head is not self._heads.get(me):
            self._moved(me, engine.ledger.head)
        if engine.signers.refused:
            raise Violation(f"PS4: replica {me} would have contradicted itself but for its guard")
        if engine.replica.learning and not (replica.forgetful or replica.flipped):
            raise Violation(f"PL1: replica {me} believes to have forgotten what it has not")
        view = (engine.epoch.number, engine.replica.view)
        if view != self._views.get((me, replica.boots)):
            self._changed_view(replica, view)

    def _moved(self, me: int, head: Head) -> None:
        self._heads[me] = head
        if head.height and self._blocks.setdefault(head.height, head) != head:
            raise Violation(f"PS1: replica {me} has another block {head.height}")

    def _changed_view(self, replica: SimulatedReplica, view: tuple[int, int]) -> None:
        highest = self.highest.get(view[0], 0)
        if view[1] > highest + replica.engine.epoch.quorum.weak:
            raise Violation(f"PL3: replica {replica.me} went to view {view}, which no correct one asked for")
        self.highest[view[0]] = max(highest, view[1])
        if view < self._views.get((replica.me, replica.boots), (0, 0)):
            raise Violation(f"PS10: replica {replica.me} went back to view {view}")
        self._views[replica.me, replica.boots] = view

    def sent(self, sender: int, frame: Frame, epoch: Epoch | None = None) -> None:
        """PS4: a correct key never signs two different things in one role, across crashes and old disks.

        ``sender`` is a place of the network; ``epoch`` the one that it is in, None for the founding one.
        """
        if sender in self.faulty | self.wiped or self._last is frame:
            return  # a broadcast is looked at once
        self._last = frame
        if isinstance(frame, Checkpoint):
            root = self._roots.setdefault((sender, frame.size), frame.root)
            if root != frame.root:
                raise Violation(f"PS4: replica {sender} cosigned two roots of size {frame.size}")
        elif isinstance(frame, Envelope):
            self._signed(epoch, frame.signed.sender, frame.signed.payload)

    def _signed(self, epoch: Epoch | None, index: int, payload: bytes) -> None:
        sender, number = (index, 0) if epoch is None else (place_of(epoch.replicas[index].name), epoch.number)
        match decode(protocol_messages, payload):
            case PrePrepare(view, seq) | Prepare(view, seq) | Commit(view, seq) as message:
                role = (sender, type(message).__name__, number, view, seq)
            case ViewChange(view) as message:
                role = (sender, "ViewChange", number, view, 0)
                for prepared in message.prepared:
                    self._signed(epoch, prepared.pre_prepare.sender, prepared.pre_prepare.payload)
            case NewView(view) as message:
                role = (sender, "NewView", number, view, 0)
                for proposal in message.pre_prepares:
                    self._signed(epoch, index, proposal.payload)
        if sender not in self.faulty | self.wiped and self._votes.setdefault(role, payload) != payload:
            raise Violation(f"PS4: replica {sender} signed two different {role[1]} for {role[2:]}")

    def answered(self, identities: Sequence[bytes], request: Request) -> bool:
        """Remember what a client was promised; whether all of it is final."""
        for identity, result in zip(identities, request.settled, strict=True):
            if not isinstance(result, Final):
                return False
            if self.acknowledged.setdefault(identity, result.index) != result.index:
                raise Violation("PS7: a transaction was acknowledged at two places")
        return True

    def settled(self, replicas: Sequence[SimulatedReplica]) -> None:
        """After the heal, of the correct replicas: PS6 what is certified is so by the epochs' own replicas,
        from the genesis file on; PS8 nothing acknowledged is lost; PL2 all are equal; PS15 nobody correct
        is accused.
        """
        roots = {(r.engine.ledger.height, r.engine.ledger.size, r.engine.ledger.root) for r in replicas}
        if len(roots) != 1:
            heights = [r.engine.ledger.height for r in replicas]
            raise Violation(f"PL2: replicas did not reach a common height: {heights}")
        for replica in replicas:
            self._certified(replica)
            for identity, index in self.acknowledged.items():
                if replica.engine.ledger.locate(identity) != index:
                    raise Violation(f"PS8: replica {replica.me} lost an acknowledged transaction")
            epochs = replica.engine.ledger.epochs
            accused = {
                place_of(epochs.of(found.epoch).replicas[found.replica].name)
                for found in replica.engine.testimony.evidence
            }
            if innocent := accused - self.faulty - self.wiped:
                raise Violation(f"PS15: replica {replica.me} accuses {sorted(innocent)}")

    def _certified(self, replica: SimulatedReplica) -> None:
        ledger = replica.engine.ledger
        held = [one.certificate for one in ledger.epochs.handovers]
        held += [] if ledger.certificate is None else [ledger.certificate]
        try:
            epochs = Epochs(replica.genesis, ledger.epochs.handovers)
            few = [c for c in held if len(c.cosignatures) < epochs.of(epochs.check(c).epoch).quorum.quorum]
        except BadCertificate as error:
            raise Violation(f"PS6: replica {replica.me} holds what is not certified: {error}") from error
        if few:
            raise Violation(f"PS6: replica {replica.me} holds a certificate of too few")
