"""Exit codes: one table for every command."""

import enum

from grootboek import errors
from grootboek.types import Quorum

__all__ = ["MEANING", "Exit", "exit_of", "health_of"]


class Exit(enum.IntEnum):
    """What a process of ``grootboek`` ends with."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    UNVERIFIED = 4
    UNAVAILABLE = 5
    CATCHING_UP = 6
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "done, and everything that was checked is right",
    Exit.FAILED: "the command failed; the error says why",
    Exit.USAGE: "the command line, a setting, the genesis file or a key file is wrong",
    Exit.REFUSED: "the ledger, or an importer, refused what was submitted",
    Exit.UNVERIFIED: "a receipt, proof or data directory does not verify",
    Exit.UNAVAILABLE: "no node answered, or no quorum of replicas is there",
    Exit.CATCHING_UP: "a quorum is there, and a replica is down or still catching up (`status`)",
    Exit.INTERRUPTED: "stopped by Ctrl-C",
}

_BY_ERROR: tuple[tuple[type[errors.GrootboekError], Exit], ...] = (
    (errors.ProofError, Exit.UNVERIFIED),
    (errors.Damaged, Exit.UNVERIFIED),
    (errors.Diverged, Exit.UNVERIFIED),
    (errors.TransactionError, Exit.REFUSED),
    (errors.Rejected, Exit.REFUSED),
    (errors.ConfigError, Exit.USAGE),
    (errors.ApiError, Exit.USAGE),
    (errors.GenesisError, Exit.USAGE),
    (errors.KeyFileError, Exit.USAGE),
    (errors.SeatError, Exit.USAGE),
    (errors.DraftError, Exit.USAGE),
    (errors.MissingExtra, Exit.USAGE),
    (errors.Unavailable, Exit.UNAVAILABLE),
)


def exit_of(error: errors.GrootboekError) -> Exit:
    """The exit code for ``error``."""
    for kind, code in _BY_ERROR:
        if isinstance(error, kind):
            return code
    return Exit.FAILED


def health_of(quorum: Quorum, asked: int, well: int) -> Exit:
    """How a network is where ``well`` of the ``asked`` replicas take part."""
    unwell = asked - well
    if unwell == 0:
        return Exit.OK
    return Exit.CATCHING_UP if well and quorum.n - unwell >= quorum.quorum else Exit.UNAVAILABLE
