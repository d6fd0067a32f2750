"""Every error that grootboek raises: one table, one class a row.

An error says what happened (``str(error)``), where (``error.where``) and what to do about it
(``fix``). Its ``code`` is stable across releases: programs may compare it, ``grootboek explain
CODE`` prints it, and it crosses the HTTP API unchanged. Codes are grouped by thousands:

====  =====================================================
1xxx  a transaction that cannot be admitted
2xxx  a peer's frame or message
3xxx  a row of an imported file
4xxx  a proof, receipt or certificate that does not verify
5xxx  configuration, genesis and key files
6xxx  disk and stored data
7xxx  the HTTP API and its clients
8xxx  the tools around the ledger: demo, benchmark
====  =====================================================
"""

from typing import ClassVar

__all__ = ["CATALOGUE", "GrootboekError"]

CATALOGUE: dict[str, "type[GrootboekError]"] = {}
"""Each concrete error class by its code."""


class GrootboekError(Exception):
    """Base of all errors; a subclass with a ``code`` is a row of the catalogue."""

    code: ClassVar[str] = ""
    title: ClassVar[str] = ""
    """What went wrong, in one line, without the particulars."""
    fix: ClassVar[str] = ""
    """What the reader should do."""

    def __init_subclass__(cls) -> None:
        if cls.code:
            if cls.code in CATALOGUE:
                msg = f"error code {cls.code} is taken by {CATALOGUE[cls.code].__name__}"
                raise TypeError(msg)
            CATALOGUE[cls.code] = cls

    def __init__(self, detail: str = "", *, where: str = "") -> None:
        """``detail``: the particulars; ``where``: a path, peer, row or field (``$.amount``)."""
        self.detail = detail
        self.where = where
        super().__init__(": ".join(part for part in (where, detail or self.title) if part))


# --- 1xxx: transactions -------------------------------------------------------------------------


class TransactionError(GrootboekError):
    """A transaction that no replica admits."""


class Malformed(TransactionError):
    """The bytes are no transaction."""

    code = "GB-1001"
    title = "the transaction is malformed"
    fix = "Build transactions with grootboek.client; docs/spec/transaction.md gives the format."


class Oversized(TransactionError):
    """A size or count is above its limit."""

    code = "GB-1002"
    title = "the transaction exceeds a limit"
    fix = "Split the work over more transactions; put documents in by digest."


class NonCanonical(TransactionError):
    """The bytes decode, but are not the one accepted encoding of what they decode to."""

    code = "GB-1003"
    title = "the transaction is not canonically encoded"
    fix = "Use the shortest form of each integer and length, and no unknown or missing field."


class ForeignChain(TransactionError):
    """The transaction names another ledger."""

    code = "GB-1004"
    title = "the transaction is for another chain"
    fix = "Sign it for this ledger's genesis file."


class BadSignature(TransactionError):
    """A signature, a key or the number of signatures is not acceptable."""

    code = "GB-1005"
    title = "a signature does not verify"
    fix = "Sign the header with each listed key, in order."


class Expired(TransactionError):
    """The expiry is not after the agreed time."""

    code = "GB-1006"
    title = "the transaction has expired"
    fix = "Sign it again with a later expiry; without an entry in the log it never took effect."


class ExpiryTooFar(TransactionError):
    """The expiry is more than ``Limits.validity_ms`` after the agreed time."""

    code = "GB-1007"
    title = "the transaction's expiry is too far in the future"
    fix = "Choose an expiry within the ledger's validity limit."


class BadCommandRoot(TransactionError):
    """The signed root or count is not that of the commands that came along."""

    code = "GB-1008"
    title = "the commands are not those that were signed"
    fix = "Send the commands that the header was made from, in their order."


class PoolFull(TransactionError):
    """The replica's pool, or this sender's share of it, is full."""

    code = "GB-1009"
    title = "the pool is full"
    fix = "Wait as long as Retry-After says and submit the same bytes again."


# --- 2xxx: peers --------------------------------------------------------------------------------


class PeerError(GrootboekError):
    """A peer's bytes that are refused; the connection may be closed, the process lives."""


class BadFrame(PeerError):
    """The bytes are no frame, or not the canonical encoding of one."""

    code = "GB-2001"
    title = "the frame is malformed"
    fix = "Check that the peer runs a compatible version."


class FrameTooLarge(PeerError):
    """The frame's length is above ``Limits.frame_bytes``."""

    code = "GB-2002"
    title = "the frame is too large"
    fix = "Check that the peer runs with the same genesis limits."


class BadHello(PeerError):
    """The handshake names another chain, epoch, version or key, or its proof is wrong."""

    code = "GB-2003"
    title = "the peer's hello is refused"
    fix = "Compare genesis files and keys of both replicas."


class BadMessage(PeerError):
    """A message breaks a rule that can be checked on its own."""

    code = "GB-2004"
    title = "the message breaks a rule of the protocol"
    fix = "The peer is faulty: look at its log."


class BadMessageSignature(PeerError):
    """A message's or certificate's signature does not verify."""

    code = "GB-2005"
    title = "the message's signature does not verify"
    fix = "The peer is faulty or has another replica's keys."


class BadBatch(PeerError):
    """A batch holds a transaction that is not admissible, or breaks a limit."""

    code = "GB-2006"
    title = "the batch is not admissible"
    fix = "The batch's origin is faulty: look at its log."


# --- 3xxx: importing ----------------------------------------------------------------------------


class ImportFileError(GrootboekError):
    """A file that cannot be imported at all (its rows are reported one by one instead)."""

    code = "GB-3001"
    title = "the file cannot be imported"
    fix = "Check that the file has one of the formats that `grootboek import --help` names."


# --- 4xxx: proofs -------------------------------------------------------------------------------


class ProofError(GrootboekError):
    """A proof that must not be believed."""


class BadProof(ProofError):
    """A Merkle proof does not lead to the root."""

    code = "GB-4001"
    title = "the proof does not verify"
    fix = "Do not trust the answer; ask another replica."


class BadCertificate(ProofError):
    """A checkpoint lacks a quorum of valid cosignatures of its epoch."""

    code = "GB-4002"
    title = "the checkpoint is not certified by a quorum"
    fix = "Do not trust the answer; check that the genesis file is the ledger's."


class BadReceipt(ProofError):
    """A receipt's parts do not belong together, or are not well formed."""

    code = "GB-4003"
    title = "the receipt does not verify"
    fix = "Fetch the receipt again, from another replica."


# --- 5xxx: configuration and keys ---------------------------------------------------------------


class ConfigError(GrootboekError):
    """A configuration file, flag or environment variable is wrong."""

    code = "GB-5001"
    title = "the configuration is wrong"
    fix = "Correct what is named; `--help` of the command lists flags and variables."


class GenesisError(GrootboekError):
    """The genesis file is wrong or inconsistent."""

    code = "GB-5002"
    title = "the genesis file is wrong"
    fix = "Use the genesis file that the founders agreed on, unchanged."


class KeyFileError(GrootboekError):
    """A key file is missing, damaged, readable by others, or its passphrase is wrong."""

    code = "GB-5003"
    title = "the key file cannot be used"
    fix = "Check the path, the file's mode (0600) and the passphrase."


class MissingExtra(GrootboekError):
    """A package of an optional extra is needed and not installed."""

    code = "GB-5004"
    title = "an optional package is not installed"
    fix = "Install the named extra with pip."


class SeatError(GrootboekError):
    """Seats that make no epoch: of another one, out of date, unsigned, or of replicas that are not there."""

    code = "GB-5005"
    title = "these seats open no epoch"
    fix = "Start what is named, let it catch up, and make its seat again: `grootboek replica seat`."


class DraftError(GrootboekError):
    """A draft that is none, is another ledger's or another one, or lacks a signature."""

    code = "GB-5006"
    title = "this draft cannot be used"
    fix = "`grootboek draft show` names who has signed it; make another one where it is damaged."


# --- 6xxx: storage ------------------------------------------------------------------------------


class StorageError(GrootboekError):
    """Writing or syncing failed; the node stops without promising anything more."""

    code = "GB-6001"
    title = "the disk refused a write"
    fix = "Free space or replace the disk, then start the node again: it continues by itself."


class Damaged(GrootboekError):
    """Stored bytes are not what was written."""

    code = "GB-6002"
    title = "stored data is damaged"
    fix = "Run `grootboek verify DIR`; restore the named file from a peer or a backup."


class Locked(GrootboekError):
    """Another process uses the data directory."""

    code = "GB-6003"
    title = "the data directory is in use"
    fix = "Stop the other process first; never run two replicas with the same keys."


class Diverged(GrootboekError):
    """Executing again gave another result than the one this replica has signed."""

    code = "GB-6004"
    title = "this replica's execution differs from what it has signed"
    fix = "Stop the replica, keep its data directory, and compare versions: a module is not deterministic."


class CommandFailed(GrootboekError):
    """Executing a command failed on this machine: memory, recursion, or an error that no rule raises.

    It may not fail on the other replicas, so this one stops before it signs anything.
    """

    code = "GB-6006"
    title = "this replica could not execute a transaction"
    fix = "Free memory and start again; if it fails again, the named module has a defect: tell its author."


# --- 7xxx: API and client -----------------------------------------------------------------------


class ApiError(GrootboekError):
    """The API cannot answer the request."""

    code = "GB-7001"
    title = "the request is wrong"
    fix = "Read the message; /v1/openapi.json describes each request."


class NotFound(GrootboekError):
    """No such transaction, key, height or path."""

    code = "GB-7002"
    title = "there is no such thing"
    fix = "Check the id; a transaction without an entry may still be pending."


class Pruned(GrootboekError):
    """The asked height is no longer kept."""

    code = "GB-7003"
    title = "the asked height is no longer kept"
    fix = "Ask for the height that the message names, or later."


class Unavailable(GrootboekError):
    """No node answered; the outcome of a submission is unknown as yet."""

    code = "GB-7004"
    title = "no node answered"
    fix = "Submit the same bytes again: it is safe, and returns the first receipt."


class Rejected(GrootboekError):
    """A module's rule refused the command.

    Raised by module authors as ``Rejected("invoice-exists", "...")``: ``reason`` is recorded in the
    log as the outcome (kebab-case, stable), the detail is for the reader and never recorded.
    """

    code = "GB-7005"
    title = "the module refused the command"
    fix = "The reason names the rule; the module's documentation explains it."

    def __init__(self, reason: str, detail: str = "", *, where: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}" if detail else reason, where=where)


class RequestTooLarge(GrootboekError):
    """A request's body, its number of transactions or a query's result is above its limit."""

    code = "GB-7006"
    title = "the request is too large"
    fix = "Split it into more requests; the message names the limit."


class TooManyRequests(GrootboekError):
    """The node, or this client's share of it, is busy."""

    code = "GB-7007"
    title = "too many requests at once"
    fix = "Wait as long as Retry-After says and repeat the request."


class MethodNotAllowed(GrootboekError):
    """The path exists, for another HTTP method."""

    code = "GB-7008"
    title = "the method is not allowed here"
    fix = "Use the method that the Allow header names."


class InternalError(GrootboekError):
    """A defect of the node; the particulars are in its own log, never in an answer."""

    code = "GB-7009"
    title = "the node could not answer"
    fix = "Ask another node, and tell this node's operator."


class BadAnswer(GrootboekError):
    """A node's answer is no answer: wrong status, wrong type, or not decodable."""

    code = "GB-7010"
    title = "a node's answer cannot be read"
    fix = "Ask another node; check that it runs a compatible version."


# --- 8xxx: tools --------------------------------------------------------------------------------


class DemoFailed(GrootboekError):
    """The demonstration saw something that must not happen."""

    code = "GB-8001"
    title = "the demo found the ledger at fault"
    fix = "Run `grootboek demo --keep` and look at replica-*/log.txt in the folder that it names."


class BenchFailed(GrootboekError):
    """A part of the benchmark did not do its work: the load client, a kill, an audit or a proof."""

    code = "GB-8002"
    title = "the benchmark could not be run"
    fix = "Read what is said here and above; try a smaller --window or fewer --seconds."
