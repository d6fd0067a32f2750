# ruff: noqa: N815  # the fields have the names that EPCIS 2.0 gives them
"""The commands of the supply chain module: the event types of EPCIS 2.0, prefixes and custody.

Fields have the standard's names. Times are milliseconds since 1970, quantities decimal text. What may
hold anything (``sensorElementList``, ``ilmd``, fields of the user's own) is a salted commitment.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from grootboek.modules.commitments import Commitment
from grootboek.types import Millis

__all__ = [
    "LIST_MAX",
    "AcceptCustody",
    "Action",
    "AggregationEvent",
    "AssociationEvent",
    "BizTransaction",
    "ErrorDeclaration",
    "Event",
    "ExtendedEvent",
    "ObjectEvent",
    "OfferCustody",
    "Part",
    "PartyId",
    "PersistentDisposition",
    "QuantityElement",
    "RegisterPrefix",
    "SourceDest",
    "TransactionEvent",
    "TransformationEvent",
    "Uri",
]

LIST_MAX: Final = 250
"""How many items or classes one list of a command may have; a larger event comes in parts."""

Uri = Annotated[str, Meta(min_length=1, max_length=1_024)]
Vocabulary = Annotated[str, Meta(min_length=1, max_length=1_024)]
"""A word of the Core Business Vocabulary (``shipping``), or the full URI of another one's."""
Action = Literal["ADD", "OBSERVE", "DELETE"]
PartyId = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""The id of a party of the ledger."""
Offset = Annotated[str, Meta(pattern=r"^[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00)$(?!\n)")]
Decimal = Annotated[str, Meta(pattern=r"^-?(0|[1-9][0-9]{0,17})(\.[0-9]{0,17}[1-9])?$(?!\n)")]
"""A decimal number without trailing zeros: ``200.5``."""
Unit = Annotated[str, Meta(pattern=r"^[A-Z0-9]{2,3}$(?!\n)")]
"""UN/CEFACT Recommendation 20: ``KGM``."""
Part = Annotated[int, Meta(ge=1, le=10_000)]

EpcList = Annotated[tuple[Uri, ...], Meta(max_length=LIST_MAX)]


class QuantityElement(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A quantity of a class."""

    epcClass: Uri
    quantity: Decimal | None = None
    """None where it is not known."""
    uom: Unit | None = None
    """None where it is a count."""


QuantityList = Annotated[tuple[QuantityElement, ...], Meta(max_length=LIST_MAX)]


class BizTransaction(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A business transaction: an order, a despatch advice, an invoice."""

    bizTransaction: Uri
    type: Vocabulary | None = None


class SourceDest(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a transfer starts or ends: a party or place, in the part that ``type`` names."""

    type: Vocabulary
    id: Uri
    """The standard's ``source`` or ``destination``."""


class PersistentDisposition(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Dispositions that begin or end and stand beside the event's own."""

    set: Annotated[tuple[Vocabulary, ...], Meta(max_length=64)] = ()
    unset: Annotated[tuple[Vocabulary, ...], Meta(max_length=64)] = ()


class ErrorDeclaration(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Says that the event of this eventID, reported before, is wrong."""

    declarationTime: Millis
    reason: Vocabulary | None = None
    correctiveEventIDs: Annotated[tuple[Uri, ...], Meta(max_length=64)] = ()
    extensions: Commitment | None = None


class Event(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """What all events have."""

    eventID: Uri
    """The event's own, else its CBV hash id (``ni:///sha-256;...?ver=CBV2.0``)."""
    eventTime: Millis
    eventTimeZoneOffset: Offset
    recordTime: Millis | None = None
    part: Part = 1
    """A large event comes in parts: same eventID and fields, other items."""
    parts: Part = 1
    bizStep: Vocabulary | None = None
    disposition: Vocabulary | None = None
    persistentDisposition: PersistentDisposition | None = None
    readPoint: Uri | None = None
    bizLocation: Uri | None = None
    bizTransactionList: Annotated[tuple[BizTransaction, ...], Meta(max_length=100)] = ()
    sourceList: Annotated[tuple[SourceDest, ...], Meta(max_length=100)] = ()
    destinationList: Annotated[tuple[SourceDest, ...], Meta(max_length=100)] = ()
    certificationInfo: Annotated[tuple[Uri, ...], Meta(max_length=64)] = ()
    errorDeclaration: ErrorDeclaration | None = None
    sensorElementList: Commitment | None = None
    extensions: Commitment | None = None
    """To the fields of the user's own, of the event and inside its places."""


class ObjectEvent(Event, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """Something happened to items: ADD commissions them, DELETE ends them, OBSERVE sees them."""

    action: Action
    epcList: EpcList = ()
    quantityList: QuantityList = ()
    ilmd: Commitment | None = None


class AggregationEvent(Event, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """Items are put into a parent (ADD), taken out (DELETE), or seen in it (OBSERVE)."""

    action: Action
    parentID: Uri | None = None
    childEPCs: EpcList = ()
    childQuantityList: QuantityList = ()


class AssociationEvent(Event, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """As AggregationEvent, for what stays together: a sensor on its container, a part in its machine."""

    action: Action
    parentID: Uri
    childEPCs: EpcList = ()
    childQuantityList: QuantityList = ()


class TransactionEvent(Event, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """Items are tied to business transactions, or no longer."""

    action: Action
    parentID: Uri | None = None
    epcList: EpcList = ()
    quantityList: QuantityList = ()


class TransformationEvent(Event, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """Inputs become outputs. Events of one transformationID are one transformation."""

    inputEPCList: EpcList = ()
    inputQuantityList: QuantityList = ()
    outputEPCList: EpcList = ()
    outputQuantityList: QuantityList = ()
    transformationID: Uri | None = None
    ilmd: Commitment | None = None


class ExtendedEvent(Event, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """An event of a type of the user's own: a record, without effect on items."""

    type: Uri
    ilmd: Commitment | None = None


class RegisterPrefix(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The registrar says who may commission under a prefix (S1). The same again changes nothing."""

    prefix: Annotated[str, Meta(min_length=4, max_length=256)]
    """A GS1 company prefix (4 to 12 digits), or a URI that ends with ``/ : # . =`` or ``?``."""
    owner: PartyId | None = None
    """None: every reporter, where an agency keeps the prefix for all."""


class OfferCustody(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The custodian offers items, each with all that it contains, to another party (S3)."""

    items: Annotated[tuple[Uri, ...], Meta(min_length=1, max_length=LIST_MAX)]
    taker: PartyId | None
    """None withdraws the offer."""


class AcceptCustody(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The other party accepts items that were offered to it (S3)."""

    items: Annotated[tuple[Uri, ...], Meta(min_length=1, max_length=LIST_MAX)]
