"""What follows from a quorum of VIEW-CHANGEs: one pure computation, the same for everybody.

PBFT section 4.4, in the form where a certificate convinces anybody: for each sequence number above
the highest stable checkpoint in V, the value of the highest-view prepared certificate unchanged, else
NULL.
"""

from collections.abc import Sequence

from grootboek.errors import BadMessage
from grootboek.wire import (
    Certificate,
    PrePrepare,
    Signed,
    ViewChange,
    block_of,
    decode,
    protocol_messages,
)

__all__ = ["proposal_in", "proposals", "stable_of", "view_change_in"]


def proposal_in(signed: Signed) -> PrePrepare:
    """The PRE-PREPARE inside; raises BadMessage where it is none (``checks`` refuses that earlier)."""
    message = decode(protocol_messages, signed.payload)
    if not isinstance(message, PrePrepare):
        raise BadMessage("not a PRE-PREPARE")
    return message


def view_change_in(signed: Signed) -> ViewChange:
    """The VIEW-CHANGE inside; raises BadMessage where it is none (``checks`` refuses that earlier)."""
    message = decode(protocol_messages, signed.payload)
    if not isinstance(message, ViewChange):
        raise BadMessage("not a VIEW-CHANGE")
    return message


def stable_of(view_changes: Sequence[ViewChange]) -> Certificate | None:
    """The highest stable checkpoint that V claims; the first one of equals."""
    best: Certificate | None = None
    for message in view_changes:
        if message.stable is not None and (best is None or message.stable.size > best.size):
            best = message.stable
    return best


def proposals(view: int, view_changes: Sequence[ViewChange]) -> list[PrePrepare]:
    """O without its signatures: the proposals of ``view`` that V forces, by sequence number."""
    stable = stable_of(view_changes)
    low = 0 if stable is None else block_of(stable).seq
    best: dict[int, PrePrepare] = {}
    for message in view_changes:
        for certificate in message.prepared:
            value = proposal_in(certificate.pre_prepare)
            if value.seq > low and (value.seq not in best or value.view > best[value.seq].view):
                best[value.seq] = value
    return [
        PrePrepare(view, seq, best[seq].time, best[seq].batches)
        if seq in best
        else PrePrepare(view, seq, 0, ())
        for seq in range(low + 1, max(best, default=low) + 1)
    ]
