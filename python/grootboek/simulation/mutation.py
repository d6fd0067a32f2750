"""Changed messages: each field of each message a liar sends, changed a little, and signed anew.

The fields are found by walking the values, encoded ones inside bytes included, so a new field needs no
new code. What the liar's own keys sign is signed again after the change; the signatures of others are
not, and must be missed by whoever receives them.
"""

import typing
from collections.abc import Iterator
from functools import partial

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from grootboek.simulation.cores import CHAIN, cosign, sign
from grootboek.types import Chain
from grootboek.wire import (
    BLOCK_ENTRY,
    BlockEntry,
    Certificate,
    Checkpoint,
    Cosignature,
    Envelope,
    Frame,
    ProtocolMessage,
    Signed,
    Status,
    block_entries,
    decode,
    encode,
    protocol_messages,
)

__all__ = ["Change", "Forger", "fields", "name_of"]

MESSAGES: typing.Final = Checkpoint | Status | Envelope
"""What a core is told by its peers."""
MAXIMUM: typing.Final = 2**53 - 1
OTHERS: typing.Final = 2
"""By how many values from elsewhere in the run a field is replaced."""
OTHER_CHAIN: typing.Final = Chain("elsewhere.invalid/ledger", b"\x01" * 32)


class Change(Struct, frozen=True):
    """One changed value."""

    field: str
    """The field, as ``Type.field``, that is no longer what it was."""
    how: str
    value: object


class Inside(typing.NamedTuple):
    """What the bytes of a field encode."""

    kind: object
    unpack: typing.Callable[[bytes], Struct]
    pack: typing.Callable[[object], bytes]


def _pack_block(block: object) -> bytes:
    return BLOCK_ENTRY + encode(block)


_MESSAGE = Inside(ProtocolMessage, partial(decode, protocol_messages), encode)
_BLOCK = Inside(BlockEntry, lambda entry: decode(block_entries, entry[1:]), _pack_block)
INSIDE: typing.Final = {
    "Signed.payload": _MESSAGE,
    "Certificate.block": _BLOCK,
    "Checkpoint.block": _BLOCK,
}


# --- what there is to change ---------------------------------------------------------------------


def fields(kind: object = MESSAGES) -> set[str]:
    """All fields that a value of this type, or what is inside it, can have, as ``Type.field``."""
    found: set[str] = set()
    _gather(kind, found)
    return found


def _gather(kind: object, found: set[str]) -> None:
    for argument in typing.get_args(kind):
        _gather(argument, found)
    if isinstance(kind, type) and issubclass(kind, Struct):
        for name, hint in typing.get_type_hints(kind).items():
            field = f"{kind.__name__}.{name}"
            if field not in found:
                found.add(field)
                _gather(INSIDE[field].kind if field in INSIDE else hint, found)


def name_of(frame: Frame) -> str:
    """The type of the message in a frame."""
    if isinstance(frame, Envelope):
        return type(decode(protocol_messages, frame.signed.payload)).__name__
    return type(frame).__name__


# --- changing it ---------------------------------------------------------------------------------


class Forger:
    """Makes changed frames of one liar, with values that it saw elsewhere."""

    def __init__(self, me: int) -> None:
        self.me = me
        self._seen: dict[str, list[object]] = {}

    def watch(self, value: object, field: str = "") -> None:
        """Remember what is in a value, as replacements for fields of the same name."""
        held = self._seen.setdefault(field, [])
        if value not in held:
            held.append(value)
        if isinstance(value, Struct):
            for name in value.__struct_fields__:
                self.watch(getattr(value, name), f"{type(value).__name__}.{name}")
        elif isinstance(value, tuple):
            for item in value:
                self.watch(item, field + "[]")
        elif isinstance(value, bytes) and field in INSIDE:
            self.watch(INSIDE[field].unpack(value), field + "()")

    def changes(self, value: object, field: str = "", at: str = "") -> Iterator[Change]:
        """The same value with one thing changed; ``at`` is where replacements are kept."""
        at = at or field
        match value:
            case Struct():
                yield from self._in_struct(value)
            case tuple():
                yield from self._in_tuple(value, field, at)
            case bool():
                yield Change(field, "inverted", not value)
            case int():
                yield from self._distinct(field, value, _numbers(value))
            case bytes():
                yield from self._in_bytes(value, field)
            case str():
                yield from self._distinct(field, value, {"longer": value + "x", "empty": ""})
        yield from self._replaced(value, field, at)

    def _replaced(self, value: object, field: str, at: str) -> Iterator[Change]:
        others = [other for other in self._seen.get(at, []) if other != value and field]
        if value is not None and field:
            yield Change(field, "left out", None)
        # The first and the last that were seen: as far from each other as the run went.
        for other in others[: OTHERS - 1] + others[OTHERS - 1 :][-1:]:
            yield Change(field, "from elsewhere", other)

    def _distinct(self, field: str, value: object, ways: dict[str, typing.Any]) -> Iterator[Change]:
        for how, changed in ways.items():
            if changed != value:
                yield Change(field, how, changed)

    def _in_bytes(self, value: bytes, field: str) -> Iterator[Change]:
        yield from self._distinct(field, value, _strings(value))
        if field in INSIDE:
            inside = INSIDE[field]
            for change in self.changes(inside.unpack(value), "", field + "()"):
                yield replace(change, value=inside.pack(change.value))

    def _in_tuple(self, value: tuple[object, ...], field: str, at: str) -> Iterator[Change]:
        ways = {
            "first dropped": value[1:],
            "last dropped": value[:-1],
            "last doubled": value + value[-1:],
            "turned round": value[::-1],
            "none": (),
        }
        yield from self._distinct(field, value, ways)
        for i, item in enumerate(value):
            for change in self.changes(item, field, at + "[]"):
                yield replace(change, value=(*value[:i], change.value, *value[i + 1 :]))

    def _in_struct(self, value: Struct) -> Iterator[Change]:
        for name in value.__struct_fields__:
            for change in self.changes(getattr(value, name), f"{type(value).__name__}.{name}"):
                changed = replace(value, **{name: change.value})
                yield replace(change, value=self._signed_anew(changed, change.field))
        if isinstance(value, Signed) and value.sender == self.me:
            for how, chain, epoch in (("other chain", OTHER_CHAIN, 0), ("other epoch", CHAIN, 1)):
                yield Change("Signed.signature", how, sign(self.me, value.payload, chain, epoch))

    def _signed_anew(self, value: Struct, field: str) -> Struct:
        """With the liar's own signatures renewed, unless they are what was changed."""
        if field in {"Signed.signature", "Cosignature.signature"}:
            return value
        try:
            match value:
                case Signed(self.me, payload):
                    return sign(self.me, payload)
                case Checkpoint(size, root, _, cosignature):
                    return replace(value, cosignature=self._cosigned(cosignature, size, root))
                case Certificate(size, root, _, _, cosignatures):
                    mine = tuple(self._cosigned(each, size, root) for each in cosignatures)
                    return replace(value, cosignatures=mine)
        except (TypeError, AttributeError, OverflowError, ValueError):
            return value  # what is left is no value that could be signed
        return value

    def _cosigned(self, cosignature: Cosignature, size: int, root: bytes) -> Cosignature:
        if cosignature.replica != self.me:
            return cosignature
        return cosign(self.me, size, root, cosignature.time)


def _numbers(value: int) -> dict[str, int]:
    return {"one more": value + 1, "one less": value - 1, "zero": 0, "maximum": MAXIMUM}


def _strings(value: bytes) -> dict[str, bytes]:
    return {
        "first bit": bytes([value[0] ^ 1]) + value[1:] if value else b"\x01",
        "last bit": value[:-1] + bytes([value[-1] ^ 1]) if value else b"\x01",
        "zeros": bytes(len(value)),
        "shorter": value[:-1],
        "longer": value + b"\x00",
        "empty": b"",
    }


def encodable(change: Change) -> bool:
    """Whether the changed value can be put into bytes at all."""
    try:
        encode(change.value)
    except (OverflowError, msgspec.MsgspecError):
        return False
    return True
