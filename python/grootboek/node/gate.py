"""Between the network and the core: nothing passes whose form, signatures and certificates were not checked.

The signatures of all frames that arrived together are verified in one call, so that votes for
several sequence numbers share the work.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from grootboek._core import verify_many
from grootboek.consensus import Checks, Event, Heard, Obligation, OtherEpoch, Received
from grootboek.errors import BadMessage, BadMessageSignature, PeerError
from grootboek.node.counters import Counters
from grootboek.types import Epoch, Genesis
from grootboek.wire import Certificate, Checkpoint, Envelope, Frame, ProtocolMessage, Status, Suspect

__all__ = ["Gate", "Verify", "verify_replicas"]

log = structlog.get_logger("grootboek.gate")


Message = ProtocolMessage | Checkpoint | Status | Suspect
Verify = Callable[[Sequence[Obligation]], Sequence[int]]
"""One verdict for each obligation: 1 good, 0 bad."""


def verify_replicas(obligations: Sequence[Obligation]) -> bytes:
    """The rule for replicas' keys: Ed25519, the cofactorless equation included."""
    return verify_many(obligations, cofactorless=True)


class _Candidate:
    """An event with what must verify before it happens."""

    __slots__ = ("event", "obligations", "peer")

    def __init__(self, peer: int, frame: Frame, checks: Checks) -> None:
        self.peer = peer
        self.event: Received | Heard
        self.obligations: list[Obligation]
        if isinstance(frame, Envelope):
            signed = frame.signed
            message, self.obligations = checks.signed(signed)
            self.event = Received(signed.sender, message, signed)
            return
        if isinstance(frame, Checkpoint):
            self.obligations = checks.checkpoint(frame)
        elif isinstance(frame, Status):
            stable = frame.stable
            self.obligations = [] if stable is None else checks.certificate(stable)
        elif isinstance(frame, Suspect):
            self.obligations = []
        else:
            raise BadMessage(f"{type(frame).__name__} is no message of the protocol")
        self.event = Heard(peer, frame)


class Gate:
    """Turns frames of authenticated peers into events of the core; refuses and reports the rest."""

    def __init__(
        self,
        genesis: Genesis,
        epoch: Epoch,
        opened: Certificate | None,
        counters: Counters,
        verify: Verify = verify_replicas,
    ) -> None:
        """For the replicas of one epoch, which ``opened`` has opened."""
        self._verify = verify
        self._names = [replica.name for replica in epoch.replicas]
        self._counters = counters
        self._refused = Counter[int]()
        self._checks = Checks(
            genesis.chain,
            epoch.number,
            [replica.voting_key for replica in epoch.replicas],
            [replica.cosigning_key for replica in epoch.replicas],
            genesis.limits.window,
            opened,
        )

    def events(
        self, arrived: Sequence[tuple[int, Frame]], settled: Callable[[int, Message], bool] | None = None
    ) -> list[Event]:
        """The events of those frames that hold, in their order.

        A message that is ``settled(sender, message)`` can change nothing any more: it is dropped before
        its signature costs anything.
        """
        candidates = [c for peer, frame in arrived if (c := self._candidate(peer, frame)) is not None]
        if settled is not None:
            candidates = [c for c in candidates if not settled(c.event.sender, c.event.message)]
        if not candidates:
            return []
        obligations = [obligation for c in candidates for obligation in c.obligations]
        verdicts = self._verify(obligations)
        self._counters.message_signatures += len(obligations)
        events: list[Event] = []
        start = 0
        for candidate in candidates:
            end = start + len(candidate.obligations)
            if all(verdicts[start:end]):
                events.append(candidate.event)
            else:
                self._refuse(candidate.peer, BadMessageSignature())
            start = end
        return events

    def _candidate(self, peer: int, frame: Frame) -> _Candidate | None:
        try:
            return _Candidate(peer, frame, self._checks)
        except OtherEpoch:
            return None
        except PeerError as error:
            self._refuse(peer, error)
        except (OverflowError, RecursionError) as error:  # a length or a nesting that no correct peer makes
            self._refuse(peer, BadMessage(str(error)))
        return None

    def _refuse(self, peer: int, error: PeerError) -> None:
        """Count it, and say so the 1st, 2nd, 4th, 8th ... time: a liar must not fill this replica's log."""
        self._counters.messages_refused += 1
        self._refused[peer] = times = self._refused[peer] + 1
        if times.bit_count() == 1:
            name = self._names[peer] if peer < len(self._names) else "an observer"
            log.warning("message refused", peer=name, code=error.code, reason=str(error), times=times)
