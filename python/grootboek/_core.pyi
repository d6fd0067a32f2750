"""The Rust core: whatever is paid once per transaction, vote or node of a tree.

Every call that works on a batch releases the GIL. ``bytes`` out, ``bytes`` in; bad arguments raise
ValueError, bytes that must not be believed give False or a verdict, never an exception.
"""

from collections.abc import Sequence
from typing import final

__all__ = [
    "IdFilter",
    "Log",
    "Pool",
    "SigningKey",
    "State",
    "TransactionBatch",
    "backend",
    "command_path",
    "command_root",
    "digest",
    "leaf_hashes",
    "range_paths",
    "row_key",
    "verify",
    "verify_command",
    "verify_consistency",
    "verify_inclusion",
    "verify_many",
    "verify_state",
]

def digest(data: bytes, /) -> bytes:
    """BLAKE3 of ``data``, 32 bytes. Callers put a domain in front (``wire.domain``)."""

def backend() -> tuple[str, str]:
    """The Ed25519 backend: what was compiled in (``"avx512"``, ``"auto"``...), what this CPU chose."""

def verify(key: bytes, message: bytes, signature: bytes, /, *, cofactorless: bool = False) -> bool:
    """The one acceptance rule for one signature.

    A and R canonical (y < p, and no sign bit on y in {1, p - 1}); 8A is not the identity; s < L;
    cofactored equation. ``cofactorless`` asks for the cofactorless equation too (RFC 8032 verifiers
    differ there): replicas' own keys, cosignatures and log signatures must satisfy it.
    """

def verify_many(items: Sequence[tuple[bytes, bytes, bytes]], /, *, cofactorless: bool = False) -> bytes:
    """One verdict byte (1 good, 0 bad) for each (key, message, signature), equal to ``verify``."""

def command_root(commands: Sequence[bytes], /) -> bytes:
    """The root that a transaction's header signs: RFC 6962 tree shape, keyed BLAKE3 nodes."""

def command_path(commands: Sequence[bytes], index: int, /) -> list[bytes]:
    """The inclusion path of ``commands[index]`` to ``command_root(commands)``."""

def verify_command(root: bytes, count: int, index: int, command: bytes, path: Sequence[bytes], /) -> bool:
    """Whether ``path`` leads from ``command`` at ``index`` of ``count`` to ``root``."""

def leaf_hashes(entries: bytes, /) -> bytes:
    """RFC 6962 leaf hashes (32 bytes each) of entries framed by 2-byte big-endian lengths.

    Raises ValueError where the framing is broken.
    """

def verify_inclusion(root: bytes, size: int, index: int, leaf: bytes, path: Sequence[bytes], /) -> bool:
    """RFC 9162 section 2.1.3.2 over a leaf *hash*; False for every malformed argument."""

def verify_consistency(
    first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes], /
) -> bool:
    """RFC 9162 section 2.1.4.2. ``first`` = 0 is never consistent (an error in the caller: False)."""

def row_key(prefix: bytes, parts: tuple[str | bytes | int, ...], /) -> bytes:
    """``prefix`` followed by the parts, order-preserving and prefix-free: behind a mark, a number in 8
    bytes big-endian, or text and bytes with their zeros escaped and their end marked.

    Raises OverflowError for a number that is negative or 2**64 or more, TypeError for another type, and
    UnicodeEncodeError.
    """

def range_paths(
    size: int, start: int, leaves: bytes, nodes: Sequence[bytes], /
) -> tuple[bytes, list[list[bytes]]]:
    """The root that a range proof leads to, and the inclusion path of each leaf of the range.

    ``leaves``: the leaf hashes of entries [start, start + len/32); ``nodes``: ``Log.range_proof``.
    Raises ValueError where counts do not fit.
    """

def verify_state(root: bytes, key: bytes, value: bytes | None, proof: bytes, /) -> bool:
    """Whether ``key`` has ``value`` (None: is absent) in the state with that root (``State.prove``)."""

@final
class SigningKey:
    """An Ed25519 private key (RFC 8032), wiped from memory when dropped."""

    def __new__(cls, seed: bytes, /) -> SigningKey:
        """From the 32-byte seed."""

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""

    def sign(self, message: bytes, /) -> bytes:
        """The deterministic signature, 64 bytes."""

    def sign_many(self, messages: Sequence[bytes], /) -> list[bytes]:
        """One signature for each message."""

@final
class IdFilter:
    """Which ids were added, up to false positives: of a full filter's strangers about one in 150.

    12 to 60 bits of memory for each id; it grows as it is filled.
    """

    def __new__(cls) -> IdFilter:
        """An empty one."""

    def add(self, ids: Sequence[bytes], /) -> None:
        """Add ids: digests of 32 bytes, else ValueError."""

    def candidates(self, ids: Sequence[bytes], /) -> list[int]:
        """The positions, ascending, of those that may have been added: all that were are among them, and
        nothing that is no digest.
        """

@final
class Pool:
    """Admitted transactions that are not yet in a batch, bounded in number and bytes.

    Batches take one transaction of each sender in turn. A sender may hold as much as is still free: k
    greedy ones get 1/(k+1) of the pool each and leave as much over for a new one. It knows no clock.
    """

    def __new__(cls, chain: bytes, transactions: int, size: int, /) -> Pool:
        """Room for so many transactions, and for ``size`` bytes of them. ``chain``: the 32-byte genesis
        digest, of the batches that it gives out.
        """

    def __len__(self) -> int:
        """How many wait."""

    def __contains__(self, key: bytes, /) -> bool:
        """Whether the transaction with this id waits."""

    @property
    def size(self) -> int:
        """Bytes of the waiting transactions, their frames' lengths included."""

    def add(self, batch: TransactionBatch, indexes: Sequence[int], /) -> list[tuple[int, str]]:
        """Take these transactions of a batch: the index and the reason of each that is refused. One that
        waits here already is taken as done. Raises ValueError where one is not admissible; those before
        it are taken.
        """

    def take(self, max_transactions: int, max_bytes: int, /) -> TransactionBatch | None:
        """Remove and return the next batch; None where the pool is empty. The first transaction is taken
        even where it alone is above ``max_bytes``; the batch ends at the first that does not fit.
        """

    def remove(self, ids: Sequence[bytes], /) -> None:
        """Drop those that wait here: they are in the log, or refused for good."""

    def expire(self, time: int, /) -> list[bytes]:
        """Drop and return the ids of all whose expiry is not after ``time``, the agreed time (ms)."""

@final
class TransactionBatch:
    """Framed transactions in one contiguous buffer, parsed and judged in one call.

    Verdicts (``verdicts``, one byte each): 0 admissible; 1 malformed; 2 oversized; 3 not canonical;
    4 foreign chain; 5 bad signature; 8 bad command root: each is the last digit of its error code.
    A broken frame (length beyond the buffer) raises ValueError. Signatures are checked in chunks of
    1,024 with batch verification, equal keys coalesced, decompressed keys cached over calls.
    """

    def __new__(
        cls,
        buffer: bytes,
        chain: bytes,
        /,
        *,
        signers: int = 16,
        commands: int = 1000,
        command_bytes: int = 49152,
        transaction_bytes: int = 262144,
        check_signatures: bool = True,
    ) -> TransactionBatch:
        """``chain``: the 32-byte genesis digest. ``check_signatures=False`` for replay of what a
        quorum has certified.
        """

    def __len__(self) -> int:
        """How many transactions."""

    @property
    def buffer(self) -> bytes:
        """The bytes that were given."""

    @property
    def digest(self) -> bytes:
        """``wire.batch_digest`` of the buffer."""

    @property
    def verdicts(self) -> bytes:
        """One byte a transaction."""

    @property
    def ids(self) -> list[bytes]:
        """Transaction ids; empty bytes where the verdict is 1, 2 or 3."""

    @property
    def expiries(self) -> list[int]:
        """Expiry in milliseconds; 0 where the verdict is 1, 2 or 3."""

    @property
    def senders(self) -> list[bytes]:
        """The first signer's key; empty bytes where the verdict is 1, 2 or 3."""

    @property
    def frames(self) -> list[tuple[int, int]]:
        """Start and end of each transaction's frame in the buffer, length prefix included."""

    def select(self, indexes: Sequence[int], /) -> TransactionBatch:
        """A batch of those transactions, in that order, without judging them again. Raises ValueError
        where there is no such index.
        """

    @staticmethod
    def join(batches: Sequence[TransactionBatch], /) -> TransactionBatch:
        """One batch of all, in order, without judging them again. Raises ValueError where there are
        none, or their chains differ.
        """

    def transactions(
        self, start: int = 0, stop: int = ..., /
    ) -> list[tuple[bytes, int, bool, tuple[bytes, ...], bytes, list[tuple[str, str, int, bytes, bytes]]]]:
        """For each transaction of the slice (all must have verdict 0, else ValueError): id, expiry,
        atomic, signers, its encoded HeaderEntry with type byte, and commands as (module, name,
        version, body, encoded Command).
        """

@final
class Log:
    """The RFC 6962 tree over the log's entries: hashes only, entries stay on disk.

    Keeps the hashes of all full subtrees of 256 leaves, and the leaf hashes of the last
    ``recent`` leaves (at least those of the unfinished bundle). For older positions the caller
    passes the leaf hashes of the bundles that ``missing`` names.
    """

    def __new__(cls, bundles: bytes = b"", tail: bytes = b"", /, *, recent: int = 131072) -> Log:
        """From the hashes of the full 256-leaf bundles (32 bytes each) and the leaf hashes after them."""

    @property
    def size(self) -> int:
        """Number of leaves."""

    def append(self, entries: bytes, /) -> tuple[int, bytes]:
        """Append framed entries (2-byte big-endian lengths): the new size, and the hashes of the
        bundles that became full. Raises ValueError and changes nothing where the framing is broken.
        """

    def truncate(self, size: int, tail: bytes, /) -> None:
        """Forget all leaves from ``size`` on; ``tail``: the leaf hashes of the bundle cut in two.
        Raises ValueError where ``size`` is above the log's or ``tail`` has another length.
        """

    def root(self, size: int, bundles: Sequence[tuple[int, bytes]] = (), /) -> bytes:
        """The root of the first ``size`` leaves (size 0: SHA-256 of nothing)."""

    def missing(self, positions: Sequence[int], size: int, /) -> list[int]:
        """The bundle numbers whose leaf hashes the proofs for these leaf positions in the tree of
        ``size`` leaves need and that are no longer kept.
        """

    def inclusion(self, index: int, size: int, bundles: Sequence[tuple[int, bytes]] = (), /) -> list[bytes]:
        """RFC 9162 section 2.1.3.1. Raises ValueError unless 0 <= index < size <= self.size, or where
        a bundle is not the log's, and LookupError where a bundle is missing; so do the methods below.
        """

    def consistency(
        self, first: int, second: int, bundles: Sequence[tuple[int, bytes]] = (), /
    ) -> list[bytes]:
        """RFC 9162 section 2.1.4.1. Raises ValueError unless 0 < first <= second <= self.size."""

    def range_proof(
        self, start: int, end: int, size: int, bundles: Sequence[tuple[int, bytes]] = (), /
    ) -> list[bytes]:
        """The nodes beside entries [start, end), from left to right: with the leaf hashes of the
        range they give the root and each leaf's inclusion path (``range_paths``).
        """

    def leaves(self, start: int, end: int, bundles: Sequence[tuple[int, bytes]] = (), /) -> bytes:
        """The leaf hashes of [start, end), 32 bytes each."""

    def tile(self, level: int, index: int, width: int, bundles: Sequence[tuple[int, bytes]] = (), /) -> bytes:
        """C2SP tlog-tiles: ``width`` (1..256) hashes of 32 bytes of tile ``index`` at ``level``."""

@final
class State:
    """The authenticated map, its history and an unauthenticated index, moving together by height.

    Keys are opaque here (the ledger puts the length-prefixed module name in front). Everything
    committed is visible at once; it becomes durable with ``flush``. With a path the store is a
    fjall database in that folder; without one it is in memory (simulator, audit).
    """

    def __new__(cls, path: str | None = None, /) -> State:
        """Open or make the store, and rebuild the tree from it. Raises OSError, also where another
        process has the store open or its contents do not give the root that was stored with them.
        """

    @property
    def height(self) -> int:
        """The last committed height."""

    @property
    def flushed(self) -> int:
        """The height that a crash falls back to."""

    @property
    def pending(self) -> int:
        """Bytes of keys and values, index included, that are committed and not flushed."""

    @property
    def root(self) -> bytes:
        """The root after the last commit; 32 zero bytes where the map is empty."""

    def __len__(self) -> int:
        """Number of keys."""

    def get(self, key: bytes, /) -> bytes | None:
        """The value now."""

    def get_many(self, keys: Sequence[bytes], /) -> list[bytes | None]:
        """The values now."""

    def get_at(self, key: bytes, height: int, /) -> bytes | None:
        """The value after ``height``."""

    def changes(self, key: bytes, limit: int, /) -> list[int]:
        """The last ``limit`` heights at which the key was written, newest first."""

    def scan(self, prefix: bytes, after: bytes | None, limit: int, /) -> list[tuple[bytes, bytes]]:
        """Up to ``limit`` pairs whose key starts with ``prefix`` and is greater than ``after``."""

    def scan_at(
        self, prefix: bytes, after: bytes | None, limit: int, height: int, /
    ) -> list[tuple[bytes, bytes]]:
        """The same after ``height``."""

    def commit(
        self,
        height: int,
        writes: Sequence[tuple[bytes, bytes | None]],
        index: Sequence[tuple[bytes, bytes]] = (),
        /,
    ) -> bytes:
        """Apply the writes (None deletes; each key once) of ``height`` = self.height + 1 and the
        index entries: the new root. Raises ValueError and changes nothing where the height is another,
        a key is written twice, or a key has not 1 to 16,384 bytes. To delete what is absent is no write.
        """

    def leap(
        self,
        height: int,
        root: bytes,
        writes: Sequence[tuple[bytes, bytes | None]],
        index: Sequence[tuple[bytes, bytes]] = (),
        /,
    ) -> None:
        """Go to ``height``, anywhere above self.height, in one commit that gives ``root``: proofs reach back
        to there and no further. Raises ValueError and changes nothing where it gives another root, where
        a commit with these writes would, or unless self.height is flushed with ``keep`` = 0.
        """

    def index_get(self, key: bytes, /) -> bytes | None:
        """An index entry."""

    def index_get_many(self, keys: Sequence[bytes], /) -> list[bytes | None]:
        """Index entries."""

    def index_scan(self, prefix: bytes, last: bytes, /) -> tuple[bytes, bytes] | None:
        """The greatest index entry that starts with ``prefix`` and is <= ``last``."""

    def index_put(self, rows: Sequence[tuple[bytes, bytes]], /) -> None:
        """Put index entries at once, of whatever height: durable when this returns. Raises OSError, and
        ValueError for the length of a key.
        """

    def prove(self, key: bytes, height: int, /) -> bytes:
        """A proof of the key's value or absence in the root after ``height``. Raises LookupError
        where the height is above the last or its undo record is no longer kept. Takes about a
        microsecond for each write since that height, and holds up a commit for as long.
        """

    def flush(self, height: int, keep: int, /) -> None:
        """Make everything up to ``height`` durable and drop undo records (for ``prove``) of heights
        <= ``height`` - ``keep``. Raises OSError; the caller then stops. Commits and reads go on
        meanwhile. Raises ValueError unless self.flushed <= ``height`` <= self.height.
        """

    def crash(self) -> None:
        """In memory only (else ValueError): fall back to the last flush, as a crash does."""

    def dump(self, after: bytes | None, limit: int, /) -> list[tuple[bytes, bytes]]:
        """Up to ``limit`` pairs in key order after a key: for snapshots."""
