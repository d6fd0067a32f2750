"""The event hash id of CBV 2.0 (section 8.9): an eventID that follows from the event's content.

The pre-hash text lists the event's fields in a fixed order, names as canonical Digital Links, words as
URIs, times in UTC with milliseconds, children of lists sorted, and the user's own fields under their
full names at the end. Where the standard's text and its published hashes differ (types before values,
destinations before sources), this follows the hashes, as other implementations do. Comments
(``rdfs:comment``) are no content.
"""

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from grootboek.modules.importing import BadField
from grootboek.modules.supply_chain import import_vocabulary as cbv
from grootboek.modules.supply_chain.identifiers import canonical
from grootboek.modules.supply_chain.import_document import Json, event_type
from grootboek.modules.supply_chain.import_time import millis, stamp

__all__ = ["hash_id", "plain", "prehash"]

_DIGITS_MAX: Final = 100
_COMMENT: Final = cbv.CONTEXT["rdfs"] + "comment"
_ITEMS: Final = "epc"
_QUANTITY: Final = "quantityElement"
_DEVICE: Final = ("deviceID", "deviceMetadata", "rawData", "dataProcessingMethod")
_METADATA: Final = ("time", "startTime", "endTime", *_DEVICE, "bizRules")
_VALUES: Final = ("value", "component", "stringValue", "booleanValue", "hexBinaryValue", "uriValue")
_STATISTICS: Final = ("minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue")
_REPORT: Final = (
    *("type", "exception", *_DEVICE, "time", "microorganism", "chemicalSubstance"),
    *(*_VALUES, *_STATISTICS, "uom", "coordinateReferenceSystem"),
)
_TIMES: Final = frozenset(("eventTime", "time", "startTime", "endTime", "declarationTime"))
_WORDS: Final = {"bizStep": cbv.BIZ_STEP, "disposition": cbv.DISPOSITION}
_TYPES: Final = {
    "bizTransactionList": cbv.BIZ_TRANSACTION,
    "sourceList": cbv.SOURCE_DEST,
    "destinationList": cbv.SOURCE_DEST,
}
_STANDARD: Final = frozenset(
    (
        *(
            "@context",
            "@id",
            "@type",
            "id",
            "type",
            "eventID",
            "eventTime",
            "recordTime",
            "eventTimeZoneOffset",
        ),
        *("certificationInfo", "errorDeclaration", "parentID", "childEPCs", "childQuantityList"),
        *("epcList", "quantityList", "inputEPCList", "inputQuantityList", "outputEPCList"),
        *("outputQuantityList", "action", "transformationID", "bizStep", "disposition"),
        *("persistentDisposition", "readPoint", "bizLocation", "bizTransactionList", "sourceList"),
        *("destinationList", "sensorElementList", "ilmd"),
    )
)
"""What EPCIS 2.0 defines; all else in an event is the user's own."""


def hash_id(event: Json, context: Mapping[str, str]) -> str:
    """The event's hash id, ``ni:///sha-256;<hex>?ver=CBV2.0`` (RFC 6920)."""
    text = prehash(event, context)
    return f"ni:///sha-256;{hashlib.sha256(text.encode()).hexdigest()}?ver=CBV2.0"


def prehash(event: Json, context: Mapping[str, str]) -> str:
    """The text that is hashed."""
    return "".join(_Text(context).event(event))


class _Text:
    """Writes the pre-hash text of one document's events."""

    def __init__(self, context: Mapping[str, str]) -> None:
        self._context = context

    def event(self, event: Json) -> Iterator[str]:
        yield f"eventType={event_type(event, self._context)}"
        yield from self._fields(event, ("eventTime", "eventTimeZoneOffset", "certificationInfo", "parentID"))
        for name in ("epcList", "inputEPCList", "childEPCs"):
            yield from self._list(event, name, _ITEMS)
        for name in ("quantityList", "childQuantityList", "inputQuantityList"):
            yield from self._quantities(event, name)
        yield from self._list(event, "outputEPCList", _ITEMS)
        yield from self._quantities(event, "outputQuantityList")
        yield from self._fields(event, ("action", "transformationID", "bizStep", "disposition"))
        yield from self._dispositions(event)
        for name in ("readPoint", "bizLocation"):
            yield from self._place(event, name)
        for name, key in (
            ("bizTransactionList", "bizTransaction"),
            ("destinationList", "destination"),
            ("sourceList", "source"),
        ):
            yield from self._typed(event, name, key)
        yield from self._sensors(event)
        yield from self._ilmd(event)
        yield self._extensions(event, _STANDARD)

    def _fields(self, parent: Json, names: tuple[str, ...]) -> Iterator[str]:
        for name in names:
            values = parent.get(name)
            texts = [self._pair(name, value) for value in (values if isinstance(values, list) else [values])]
            yield "".join(sorted(text for text in texts if text))

    def _list(self, event: Json, name: str, key: str) -> Iterator[str]:
        children = sorted(self._pair(key, value) for value in event.get(name) or ())
        if children:
            yield name + "".join(children)

    def _quantities(self, event: Json, name: str) -> Iterator[str]:
        elements = [
            _QUANTITY + "".join(self._fields(element, ("epcClass", "quantity", "uom")))
            for element in event.get(name) or ()
        ]
        if elements:
            yield name + "".join(sorted(elements))

    def _dispositions(self, event: Json) -> Iterator[str]:
        value = event.get("persistentDisposition")
        if value:
            words = [
                f"{key}={cbv.DISPOSITION.uri(cbv.DISPOSITION.word(word, self._context) or word)}"
                for key in ("set", "unset")
                for word in sorted(value.get(key) or ())
            ]
            yield "persistentDisposition" + "".join(words)

    def _place(self, event: Json, name: str) -> Iterator[str]:
        value = event.get(name)
        if isinstance(value, str):
            value = {"id": value}
        if value:
            yield name + "".join(self._fields(value, ("id",))) + self._extensions(value, {"id"})

    def _typed(self, event: Json, name: str, key: str) -> Iterator[str]:
        children = []
        for entry in event.get(name) or ():
            kind = entry.get("type")
            word = kind and _TYPES[name].uri(_TYPES[name].word(kind, self._context) or kind)
            children.append((f"type={word}" if word else "") + self._pair(key, entry.get(key)))
        if children:
            yield name + "".join(sorted(children))

    def _sensors(self, event: Json) -> Iterator[str]:
        elements = sorted(self._sensor(element) for element in event.get("sensorElementList") or ())
        if elements:
            yield "sensorElementList" + "".join(elements)

    def _sensor(self, element: Json) -> str:
        metadata = element.get("sensorMetadata")
        known = "" if not metadata else "sensorMetadata" + self._group(metadata, _METADATA)
        reports = sorted(
            "sensorReport" + self._group(report, _REPORT) for report in element.get("sensorReport") or ()
        )
        rest = self._extensions(element, {"sensorMetadata", "sensorReport", "type"})
        return "sensorElement" + known + "".join(reports) + rest

    def _group(self, value: Json, names: tuple[str, ...]) -> str:
        return "".join(self._fields(value, names)) + self._extensions(value, set(names))

    def _ilmd(self, event: Json) -> Iterator[str]:
        value = event.get("ilmd")
        if value:
            yield "ilmd" + self._extensions(value, frozenset())

    def _extensions(self, parent: Json, standard: set[str] | frozenset[str]) -> str:
        """The user's own fields, at any depth, sorted."""
        texts = []
        for key, value in parent.items():
            if key not in standard and cbv.expand(key, self._context) != _COMMENT:
                name = self._name(key)
                texts += [self._own(name, one) for one in (value if isinstance(value, list) else [value])]
        return "".join(sorted(texts))

    def _own(self, name: str, value: object) -> str:
        if isinstance(value, Mapping):
            return name + self._extensions(value, frozenset({"#text"})) if value else name
        return f"{name}={self._value('', value)}"

    def _name(self, key: str) -> str:
        prefix, colon, local = key.partition(":")
        known = self._context.get(prefix)
        return f"{{{known}}}{local}" if colon and known is not None else key

    def _pair(self, name: str, value: object) -> str:
        return "" if value is None else f"{name}={self._value(name, value)}"

    def _value(self, name: str, value: object) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | Decimal):
            return plain(Decimal(value))
        return self._text(name, str(value).strip())

    def _text(self, name: str, text: str) -> str:
        if name in _TIMES:
            return _utc(text, name)
        if name in _WORDS:
            return _WORDS[name].uri(_WORDS[name].word(text, self._context) or text)
        if name in {"type", "exception", "component"} and ":" not in text:
            return cbv.CONTEXT["gs1"] + text
        return canonical(cbv.expand(text, self._context))


def _utc(text: str, name: str) -> str:
    try:
        return stamp(millis(text, name))
    except BadField:
        return text


def plain(number: Decimal) -> str:
    """Without exponent and trailing zeros; an exponent that is out of all measure stays."""
    if abs(number.adjusted()) > _DIGITS_MAX:
        return str(number)
    text = f"{number:f}" if number else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text
