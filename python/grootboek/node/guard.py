"""The signer's own memory: what was signed, so that nothing is ever signed that contradicts it.

It judges each request by itself, whatever the core believes. It is exact from the highest number that it
has forgotten on (``floor``), refuses at or below that, and its size is bounded. How far it has signed at
all, its ``High``, stands in the journal's marker, on a disk path of its own: it costs no sync, and it is
what is left to know when the journal is lost.
"""

from enum import Enum
from typing import Final

import msgspec
from msgspec import Struct

from grootboek._core import digest
from grootboek.errors import BadFrame
from grootboek.wire import Commit, NewView, Prepare, PrePrepare, ProtocolMessage, Signed, protocol_messages

__all__ = ["NOTHING", "Guard", "High", "Refusal"]


class High(Struct, frozen=True):
    """Nothing beyond it was ever signed: no later epoch or view, no higher number, no larger log."""

    epoch: int
    view: int
    seq: int
    size: int


NOTHING: Final = High(0, 0, 0, 0)
"""Of keys that have signed nothing."""


class Refusal(Enum):
    """Why something is not signed."""

    CONTRADICTION = "another payload was signed in this role"
    FORGOTTEN = "another payload may have been signed in this role"
    VIEW_LEFT = "a higher view was signed for"
    SMALLER = "a larger log was cosigned"
    OTHER_ROOT = "another root was cosigned for this size"


class Guard:
    """Judges what one key is asked to sign in one epoch, and remembers what it allowed.

    Exact are the last ``keep`` sequence numbers of the highest view.
    """

    def __init__(self, epoch: int, keep: int) -> None:
        """A guard of keys that have signed nothing; see ``recall`` and ``forget``."""
        self.high = High(epoch, 0, 0, 0)
        self._keep = keep
        self._votes: dict[int, dict[type, bytes]] = {}
        """The digests of what was signed in the highest view, by sequence number."""
        self._moves: dict[type, bytes] = {}
        """The same of VIEW-CHANGE and NEW-VIEW."""
        self._floor = -1
        """The highest number that was forgotten in that view."""
        self._blind = False
        """Whether VIEW-CHANGE or NEW-VIEW of that view may have been forgotten."""
        self._root: bytes | None = None
        """The root that was cosigned at ``high.size``; None where it is not known."""

    # --- protocol messages -----------------------------------------------------------------------

    def refuses(self, payload: bytes) -> Refusal | None:
        """Judge a protocol message; None: it may be signed, and counts as signed from now on."""
        message, checksum = _message(payload), digest(payload)
        refusal = self._judge(message, checksum)
        if refusal is None:
            self._take(message, checksum)
        return refusal

    def recall(self, signed: Signed) -> None:
        """The journal shows what was signed before a restart, in the order it was signed."""
        message = _message(signed.payload)
        if message.view >= self.high.view:
            self._take(message, digest(signed.payload))

    def settle(self, seq: int) -> None:
        """The journal says nothing any more of numbers up to ``seq``: unless it was recalled, forgotten."""
        self._floor = max(self._floor, seq)

    def reach(self, high: High) -> None:
        """The marker says how far was signed, more than is recalled where the journal keeps no more of it."""
        if high.view > self.high.view:
            self._enter()
        if high.size > self.high.size:
            self._root = None
        self.high = _join(self.high, high)

    def forget(self, view: int, seq: int) -> None:
        """Anything up to ``view`` and ``seq`` may have been signed: nothing of it is signed again."""
        self.reach(High(0, view, seq, 0))
        self._enter()
        self._floor, self._blind = seq, True

    def _enter(self) -> None:
        """Nothing was signed for the view that is the highest from now on."""
        self._votes, self._moves, self._floor, self._blind = {}, {}, -1, False

    def _judge(self, message: ProtocolMessage, checksum: bytes) -> Refusal | None:
        if message.view < self.high.view:
            return Refusal.VIEW_LEFT
        if message.view > self.high.view:
            return None
        if not isinstance(message, PrePrepare | Prepare | Commit):
            known = self._moves.get(type(message))
            exact = isinstance(message, NewView) and not self._blind  # a VIEW-CHANGE raises the view
        else:
            known, exact = self._votes.get(message.seq, {}).get(type(message)), message.seq > self._floor
        if known is not None:
            return None if known == checksum else Refusal.CONTRADICTION
        return None if exact else Refusal.FORGOTTEN

    def _take(self, message: ProtocolMessage, checksum: bytes) -> None:
        if message.view > self.high.view:
            self._enter()
        seq = 0
        if isinstance(message, PrePrepare | Prepare | Commit):
            seq = message.seq
            self._votes.setdefault(seq, {})[type(message)] = checksum
            if len(self._votes) > self._keep:
                lowest = min(self._votes)
                del self._votes[lowest]
                self._floor = max(self._floor, lowest)
        else:
            self._moves[type(message)] = checksum
        high = self.high
        if message.view > high.view or seq > high.seq:
            self.high = High(high.epoch, message.view, max(high.seq, seq), high.size)

    # --- cosignatures ----------------------------------------------------------------------------

    def refuses_checkpoint(self, size: int, root: bytes) -> Refusal | None:
        """Judge a checkpoint; the same one may be signed again, with another time."""
        high = self.high
        if size < high.size:
            return Refusal.SMALLER
        if size == high.size and size and root != self._root:
            return Refusal.FORGOTTEN if self._root is None else Refusal.OTHER_ROOT
        self.recall_checkpoint(size, root)
        return None

    def recall_checkpoint(self, size: int, root: bytes) -> None:
        """It was cosigned before a restart, or is now."""
        if size > self.high.size:
            self.high = High(self.high.epoch, self.high.view, self.high.seq, size)
            self._root = root


def _join(a: High, b: High) -> High:
    return High(max(a.epoch, b.epoch), max(a.view, b.view), max(a.seq, b.seq), max(a.size, b.size))


def _message(payload: bytes) -> ProtocolMessage:
    """Its form was judged before: by the core that made it, or when the journal was read."""
    try:
        message: ProtocolMessage = protocol_messages.decode(payload)
    except msgspec.DecodeError as error:
        raise BadFrame(str(error)) from error
    return message
