"""Transactions that several sign, each on a machine of its own.

A draft goes from signer to signer, as a file or otherwise; it holds no secret. Signers may also sign copies
of it at the same time, which are merged. With all signatures it is a transaction as any other.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, structs

from grootboek import plain, wire
from grootboek._core import SigningKey, command_root, digest, verify_many
from grootboek.client.transactions import Prepared, header_of
from grootboek.errors import BadFrame, DraftError
from grootboek.types import Chain, Limits, Millis
from grootboek.wire import Command, Header, Signature, Transaction

__all__ = ["Draft"]


class Draft(Struct, frozen=True, forbid_unknown_fields=True):
    """A transaction with the signatures that it has so far. ``of`` makes one, ``read`` judges a file."""

    ledger: str
    """The log's origin."""
    header: bytes
    """What is signed, behind the ledger's domain: ``wire.transaction_bytes``."""
    commands: tuple[bytes, ...]
    signatures: tuple[Signature | None, ...]
    """In the order of the header's signers; None for who has not signed yet."""

    @classmethod
    def of(
        cls,
        chain: Chain,
        signers: Sequence[bytes],
        commands: Sequence[bytes],
        *,
        expiry: Millis,
        atomic: bool = False,
        limits: Limits | None = None,
    ) -> "Draft":
        """A draft that nobody has signed. ``signers``: the sender first; the rest is as for ``prepare``."""
        header = header_of(chain, signers, commands, expiry=expiry, atomic=atomic, limits=limits or Limits())
        return cls(chain.origin, header, tuple(commands), (None,) * len(signers))

    @classmethod
    def read(cls, chain: Chain, data: bytes) -> "Draft":
        """From its JSON form. Raises DraftError unless it is this ledger's, whole, and signed well so far."""
        try:
            draft: Draft = plain.from_json(cls, data)
            header = draft.opened
        except (msgspec.DecodeError, BadFrame) as error:
            raise DraftError(f"this is no draft: {error}") from error
        if draft.ledger != chain.origin or header.chain != chain.id:
            raise DraftError(f"it is of another ledger, {draft.ledger}")
        if len(draft.commands) != header.count or command_root(draft.commands) != header.root:
            raise DraftError("its commands are not those that are signed")
        if len(draft.signatures) != len(header.signers):
            raise DraftError("it has another number of signatures than of signers")
        signed = wire.transaction_bytes(chain, draft.header)
        pairs = zip(header.signers, draft.signatures, strict=True)
        given = [(key, signed, signature) for key, signature in pairs if signature is not None]
        for (key, _, _), good in zip(given, verify_many(given), strict=True):
            if not good:
                raise DraftError(f"the signature of {key.hex()} does not verify")
        return draft

    def to_json(self) -> bytes:
        """The JSON form: bytes are lower-case hex."""
        return msgspec.json.format(plain.to_json(self), indent=2) + b"\n"

    @property
    def opened(self) -> Header:
        """What the header says: who signs, and until when it can be sent."""
        header: Header = wire.decode(wire.headers, self.header)
        return header

    @property
    def missing(self) -> tuple[bytes, ...]:
        """Who has not signed yet."""
        pairs = zip(self.opened.signers, self.signatures, strict=True)
        return tuple(key for key, signature in pairs if signature is None)

    def command(self, index: int) -> Command:
        """A command as its module decodes it. Raises BadFrame."""
        command: Command = wire.decode(wire.commands, self.commands[index])
        return command

    def signed(self, chain: Chain, key: SigningKey) -> "Draft":
        """With the signature of ``key``; raises DraftError where it is none of the signers."""
        signers = self.opened.signers
        if key.public not in signers:
            raise DraftError(f"{key.public.hex()} is none of its signers")
        signature = key.sign(wire.transaction_bytes(chain, self.header))
        place = signers.index(key.public)
        return structs.replace(
            self, signatures=(*self.signatures[:place], signature, *self.signatures[place + 1 :])
        )

    def merged(self, copies: Iterable["Draft"]) -> "Draft":
        """With the signatures of its copies, too; raises DraftError where one is another draft."""
        signatures = self.signatures
        for copy in copies:
            if (copy.header, copy.commands) != (self.header, self.commands):
                raise DraftError("these are drafts of different transactions")
            signatures = tuple(a or b for a, b in zip(signatures, copy.signatures, strict=True))
        return structs.replace(self, signatures=signatures)

    def prepared(self, chain: Chain) -> Prepared:
        """The transaction, ready to be sent; raises DraftError where a signature is missing."""
        signatures = tuple(signature for signature in self.signatures if signature is not None)
        if len(signatures) < len(self.signatures):
            names = ", ".join(key.hex() for key in self.missing)
            raise DraftError(f"not signed yet by {names}")
        identity = digest(wire.transaction_bytes(chain, self.header))
        return Prepared(identity, self.opened.expiry, Transaction(self.header, signatures, self.commands))
