"""A receipt's three forms, which convert into each other without loss.

- ``proofs.Receipt`` in canonical msgpack: for programs.
- JSON with hex fields: for people and other languages.
- C2SP tlog-proof text: for the tools of other transparency logs. Its index, hashes and checkpoint are
  those of the receipt's first record; ``extra`` carries everything else.

Each form has one accepted spelling. Converting checks form only: ``client.Verifier`` verifies.

Sources: c2sp.org/tlog-proof, c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature.
"""

import base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from grootboek import notes, proofs, wire
from grootboek.errors import BadFrame, BadReceipt
from grootboek.plain import from_plain, to_plain
from grootboek.proofs import Receipt, RecordProof
from grootboek.types import Genesis
from grootboek.wire import Certificate, Cosignature, Handover, Member, Path, Size

__all__ = ["decode", "encode", "from_json", "from_text", "note", "read", "to_builtins", "to_json", "to_text"]

FORMAT: Final = "grootboek-receipt/2"
_TEXT_HEADER: Final = "c2sp.org/tlog-proof@v1"
_MSGPACK_START: Final = 0x90
"""Every receipt in msgpack starts with an array byte, 0x90 or above; text never does."""


def encode(receipt: Receipt) -> bytes:
    """The canonical msgpack form."""
    return wire.encode(receipt)


def decode(data: bytes) -> Receipt:
    """From msgpack; raises BadReceipt."""
    try:
        return wire.decode(proofs.receipts, data)
    except BadFrame as error:
        raise BadReceipt(error.detail) from error


def to_builtins(receipt: Receipt) -> dict[str, Any]:
    """The JSON form before it is text."""
    plain = to_plain(receipt)
    del plain["type"]
    return {"format": FORMAT, **plain}


def to_json(receipt: Receipt) -> bytes:
    """The JSON form."""
    return msgspec.json.encode(to_builtins(receipt))


def from_json(data: bytes) -> Receipt:
    """From JSON, in any layout; raises BadReceipt."""
    try:
        plain: Any = msgspec.json.decode(data)
        if not isinstance(plain, dict) or plain.pop("format", None) != FORMAT:
            raise BadReceipt(f"the format is not {FORMAT}")
        if "type" in plain:
            raise BadReceipt("unknown field", where="$.type")
        return from_plain(Receipt, plain)  # type: ignore[no-any-return]  # the type that was asked for
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReceipt(str(error)) from error


def read(genesis: Genesis, data: bytes) -> Receipt:
    """From any of the three forms, told apart by their first byte; raises BadReceipt."""
    if data[:1] and data[0] >= _MSGPACK_START:
        return decode(data)
    if data.lstrip()[:1] == b"{":
        return from_json(data)
    return from_text(genesis, data)


# --- text ----------------------------------------------------------------------------------------


class _Extra(Struct, frozen=True, array_like=True, tag=2):
    """What the text form holds beside the first record's index and path, and the checkpoint."""

    header: bytes
    path: Path
    entry: bytes
    command_path: Path
    others: tuple[RecordProof, ...]
    block: bytes
    block_path: Path
    handovers: tuple[Handover, ...]


_extras: Final = msgspec.msgpack.Decoder(_Extra)


def note(
    genesis: Genesis,
    certificate: Certificate,
    log: tuple[int, bytes],
    handovers: Sequence[Handover] = (),
) -> bytes:
    """The signed checkpoint of a certificate: one log signature and q cosignatures.

    ``handovers``: as in a receipt; ``log`` is of a replica of the last epoch that they show. Raises
    BadReceipt where a signature is of a replica that no epoch has.
    """
    epoch = wire.block_of(certificate).epoch
    replica, signature = log
    signers, members = _members(genesis, handovers, len(handovers)), _members(genesis, handovers, epoch)
    if replica >= len(signers) or any(c.replica >= len(members) for c in certificate.cosignatures):
        raise BadReceipt("a signature names an unknown replica")
    cosigners = [
        (
            notes.cosigner_name(genesis.chain, epoch, members[c.replica].name),
            members[c.replica].cosigning,
            c,
        )
        for c in certificate.cosignatures
    ]
    return notes.note(
        genesis.chain,
        certificate.size,
        certificate.root,
        log=(signers[replica].log, signature),
        cosigners=cosigners,
    )


def _members(genesis: Genesis, handovers: Sequence[Handover], epoch: int) -> tuple[Member, ...]:
    """Who runs ``epoch``, as the hand-overs say; whether that is so shows when they are verified."""
    if not epoch:
        return tuple(map(Member.of, genesis.replicas))
    if epoch > len(handovers):
        raise BadReceipt(f"the hand-over to epoch {epoch} is missing")
    entry = handovers[epoch - 1].entry
    if entry[:1] != wire.EPOCH_ENTRY:
        raise BadReceipt("a hand-over holds no epoch entry")
    try:
        return wire.decode(wire.epoch_entries, entry[1:]).members
    except BadFrame as error:
        raise BadReceipt(error.detail) from error


def to_text(genesis: Genesis, receipt: Receipt) -> str:
    """The tlog-proof text; raises BadReceipt where the receipt's parts do not fit together."""
    first, *others = receipt.records
    extra = _Extra(
        receipt.header,
        receipt.path,
        first.entry,
        first.command_path,
        tuple(others),
        receipt.certificate.block,
        receipt.certificate.path,
        receipt.handovers,
    )
    lines = [
        _TEXT_HEADER,
        f"extra {_base64(wire.encode(extra))}",
        f"index {receipt.index + 1 + _position(first.entry)}",
        *map(_base64, first.path),
    ]
    return "\n".join(lines) + "\n\n" + _note(genesis, receipt)


def _note(genesis: Genesis, receipt: Receipt) -> str:
    return note(genesis, receipt.certificate, receipt.log, receipt.handovers).decode()


def from_text(genesis: Genesis, data: bytes) -> Receipt:
    """From the tlog-proof text; raises BadReceipt unless it is what ``to_text`` writes."""
    try:
        receipt = _from_text(genesis, data.decode())
        same = to_text(genesis, receipt).encode() == data
    except (ValueError, LookupError, OverflowError, BadFrame) as error:
        raise BadReceipt("the tlog-proof text is malformed") from error
    if not same:
        raise BadReceipt("the tlog-proof text is not in its one accepted form")
    return receipt


def _from_text(genesis: Genesis, text: str) -> Receipt:
    head, _, checkpoint = text.partition("\n\n")
    start, extra_line, index_line, *hashes = head.split("\n")
    if start != _TEXT_HEADER:
        raise BadReceipt(f"the first line is not {_TEXT_HEADER}")
    extra = wire.decode(_extras, base64.b64decode(extra_line.removeprefix("extra "), validate=True))
    index = int(index_line.removeprefix("index "))
    path = tuple(base64.b64decode(line, validate=True) for line in hashes)
    certificate, log = _certificate(genesis, checkpoint.encode(), extra)
    first = RecordProof(extra.entry, path, extra.command_path)
    receipt = Receipt(
        header=extra.header,
        index=index - 1 - _position(extra.entry),
        path=extra.path,
        records=(first, *extra.others),
        certificate=certificate,
        log=log,
        handovers=extra.handovers,
    )
    return decode(encode(receipt))


def _certificate(genesis: Genesis, checkpoint: bytes, extra: _Extra) -> tuple[Certificate, tuple[int, bytes]]:
    """The certificate and the log signature that the note's lines stand for."""
    epoch = wire.decode_block(extra.block).epoch
    origin, size, root, (log_line, *lines) = notes.parse_note(checkpoint)
    if origin != genesis.chain.origin:
        raise BadReceipt(f"it is of the ledger {origin}, not of {genesis.chain.origin}")
    signers = _members(genesis, extra.handovers, len(extra.handovers))
    logs = {notes.log_key_id(genesis.chain, signer.log): i for i, signer in enumerate(signers)}
    log = (logs[log_line[1][:4]], log_line[1][4:])
    replicas = {
        notes.cosigner_name(genesis.chain, epoch, replica.name): i
        for i, replica in enumerate(_members(genesis, extra.handovers, epoch))
    }
    cosignatures = tuple(
        Cosignature(replicas[name], int.from_bytes(blob[4:12], "big"), blob[12:]) for name, blob in lines
    )
    return Certificate(size, root, extra.block, extra.block_path, cosignatures), log


def _position(entry: bytes) -> Size:
    """A record's index in its transaction."""
    if entry[:1] != wire.RECORD_ENTRY:
        raise BadReceipt("not a record entry")
    return wire.decode(wire.record_entries, entry[1:]).index


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
