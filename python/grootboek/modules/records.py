"""Records: a document's digest and metadata, anchored under a key; a later version supersedes.

This is the smallest module, and the example for authors of modules: read it from top to bottom
together with docs/modules/records.md. It needs nothing but the module API.
"""

# A module sees the module API (grootboek.ledger.module) and the shared primitives beside this file.
# It imports nothing of the network, the node or the client.
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from grootboek.ledger.module import Context, Module, Rejected, Table, View, command, query

__all__ = ["Anchor", "Document", "DocumentKey", "History", "Records"]

# Limits belong to the types: what breaks them is refused before a rule runs.
Key = Annotated[str, Meta(min_length=1, max_length=128)]
DocumentDigest = Annotated[bytes, Meta(min_length=32, max_length=32)]
Text = Annotated[str, Meta(max_length=200)]


# A command is a frozen Struct. Its name is the command's name on the wire; its encoding (an array of
# the fields in order) is what the sender signs, so fields are added in a new version, never reordered.
class Anchor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Anchor a document under a key, or supersede the version that is there."""

    key: Key
    """Names the document among the owner's: a file number, a path. No personal data."""
    digest: DocumentDigest
    """SHA-256 of the document, as ``sha256sum`` prints it."""
    media_type: Text = ""
    """For example ``application/pdf`` (IANA)."""
    supersedes: Annotated[int, Meta(ge=0, lt=2**31)] = 0
    """The version that this one replaces; 0 for the first."""


# A row is what the state holds. Times and heights come from the context, never from a clock.
class Document(Struct, frozen=True, array_like=True):
    """One version of a document."""

    owner: bytes
    """The party that anchored it, or the signer's key where no party is registered for it."""
    key: str
    version: int
    digest: bytes
    media_type: str
    height: int
    """The block it came with."""
    time: int
    """The block's agreed time, milliseconds since 1970."""


class DocumentKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a document."""

    owner: Annotated[bytes, Meta(min_length=16, max_length=32)]
    """16 bytes of a party's id, or 32 of a key."""
    key: Key


class History(Struct, frozen=True):
    """Every version of a document, oldest first."""

    versions: tuple[Document, ...]


# A table gives typed access to the module's own part of the state. Several keys make rows neighbours:
# all superseded versions of one document are read with one scan.
latest = Table("latest", Document)
superseded = Table("superseded", Document)


class Records(Module):
    """Anchors for documents that stay where they are."""

    # The name is the module's prefix everywhere; the version goes up with every change of a rule.
    name: ClassVar[str] = "records"
    version: ClassVar[int] = 1

    # Each reason that a rule may give, explained: `grootboek explain` and the API print this.
    reasons: ClassVar[dict[str, str]] = {
        "version-mismatch": "the latest version is not the one that `supersedes` names: "
        "somebody anchored another in between, or the document is not there yet",
    }

    # One small method for each command. It checks, it writes, or it raises Rejected; what it raises
    # undoes its writes. No role is asked for: everyone writes under keys of their own.
    @command
    def anchor(self, ctx: Context, state: View, cmd: Anchor) -> None:
        """Store the digest as the next version under the owner's key."""
        owner = ctx.sender.party or ctx.sender.key
        before = latest.get(state, owner, cmd.key)
        version = before.version if before else 0
        if cmd.supersedes != version:
            raise Rejected("version-mismatch", f"the latest version is {version}")
        if before is not None:
            superseded.put(state, before, owner, cmd.key, version)
        row = Document(owner, cmd.key, version + 1, cmd.digest, cmd.media_type, ctx.height, ctx.time)
        latest.put(state, row, owner, cmd.key)

    # A query reads and changes nothing; its name is the method's.
    @query
    def document(self, state: View, args: DocumentKey) -> Document | None:
        """The latest version, or nothing."""
        return latest.get(state, args.owner, args.key)

    @query
    def history(self, state: View, args: DocumentKey) -> History:
        """All versions, oldest first."""
        last = latest.get(state, args.owner, args.key)
        return History((*superseded.every(state, args.owner, args.key), *([last] if last else [])))

    # What must hold after every block. Tests, the simulator and `grootboek verify` run it.
    def invariants(self, state: View) -> Iterator[tuple[str, bool]]:
        """R1: the superseded versions of a document are 1, 2, 3... and the latest is the next one."""
        counts = Counter((row.owner, row.key) for row in superseded.every(state))
        numbers = all(0 < row.version <= counts[row.owner, row.key] for row in superseded.every(state))
        last = {(row.owner, row.key): row.version - 1 for row in latest.every(state)}
        yield "R1", numbers and all(counts[name] == version for name, version in last.items())
