"""One EPCIS event in JSON as a command: fields checked, words and times in one form."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, structs

from grootboek.modules.importing import BadField
from grootboek.modules.supply_chain import import_vocabulary as cbv
from grootboek.modules.supply_chain.import_document import Found, Json, canonical_json, event_type, require
from grootboek.modules.supply_chain.import_hash import hash_id, plain
from grootboek.modules.supply_chain.import_time import millis
from grootboek.modules.supply_chain.terms import (
    LIST_MAX,
    AggregationEvent,
    AssociationEvent,
    BizTransaction,
    ErrorDeclaration,
    Event,
    ExtendedEvent,
    ObjectEvent,
    PersistentDisposition,
    QuantityElement,
    SourceDest,
    TransactionEvent,
    TransformationEvent,
)

__all__ = ["Draft", "parts", "read"]

T = TypeVar("T")

_KINDS: Final[dict[str, type[Event]]] = {
    "ObjectEvent": ObjectEvent,
    "AggregationEvent": AggregationEvent,
    "AssociationEvent": AssociationEvent,
    "TransactionEvent": TransactionEvent,
    "TransformationEvent": TransformationEvent,
}
_ITEMS: Final = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
_CLASSES: Final = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
_LISTS: Final = (
    *(*_ITEMS, *_CLASSES),
    *("bizTransactionList", "sourceList", "destinationList", "sensorElementList"),
)
_PART_BYTES: Final = 24_000
"""How many bytes of names one list of a part may have: half of what a command may."""
_KEYWORDS: Final = {"@id": "id", "@type": "type"}
"""JSON-LD's own names of what EPCIS's context calls otherwise."""
_NODE: Final = frozenset(("@context", *_KEYWORDS, *_KEYWORDS.values()))
"""What JSON-LD lets any object have."""
_ERROR: Final = ("declarationTime", "reason", "correctiveEventIDs")
_ACTIONS: Final = ("ADD", "OBSERVE", "DELETE")
_OFFSET: Final = re.compile(r"[+-]((0\d|1[0-3]):[0-5]\d|14:00)", re.ASCII)
_UNIT: Final = re.compile("[A-Z0-9]{2,3}", re.ASCII)
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", re.ASCII)


class Draft(Struct, frozen=True):
    """An event that may be recorded; what is committed to is still in clear. Never leaves like this."""

    command: Event
    private: dict[str, str]
    """Canonical JSON of ``sensorElementList``, ``ilmd``, ``extensions``, ``errorDeclaration``."""
    own_id: bool
    """Whether the document gave the eventID."""


def read(found: Found) -> Draft:
    """The event as a draft; raises BadField with the name of the wrong field as its rule."""
    require(isinstance(found.event, dict), "json-form", "the event is no JSON object")
    try:
        return _Reader(found.event, found.context).draft()  # type: ignore[arg-type]  # an object, as checked above
    except RecursionError:
        raise BadField("json-form", "the event is nested too deeply") from None


def parts(command: Event) -> list[Event]:
    """The command, or several with the same eventID where its lists are too long for one.

    Raises BadField("value-range") where a field is too long or too large.
    """
    lists = {name: getattr(command, name) for name in (*_ITEMS, *_CLASSES) if hasattr(command, name)}
    chunks = {name: list(_chunks(values)) for name, values in lists.items()}
    count = max((len(of_list) for of_list in chunks.values()), default=1) or 1
    found = [
        structs.replace(
            command,
            part=number + 1,
            parts=count,
            **{name: (of_list[number] if number < len(of_list) else ()) for name, of_list in chunks.items()},
        )
        for number in range(count)
    ]
    return [_checked(one) for one in found]


def _chunks(values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    group: list[Any] = []
    size = 0
    for value in values:
        length = len(value.epcClass if isinstance(value, QuantityElement) else value)
        if len(group) == LIST_MAX or (group and size + length > _PART_BYTES):
            yield tuple(group)
            group, size = [], 0
        group.append(value)
        size += length
    if group:
        yield tuple(group)


def _checked(command: Event) -> Event:
    kind = type(command)
    try:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=kind)
    except msgspec.ValidationError as error:
        raise BadField("value-range", str(error)) from error


class _Reader:
    """Reads one event."""

    def __init__(self, event: Json, context: Mapping[str, str]) -> None:
        # JSON-LD lets a list of one stand without its brackets.
        self._event = {
            _KEYWORDS.get(name, name): [value] if name in _LISTS and not isinstance(value, list) else value
            for name, value in event.items()
            if value is not None
        }
        self._context = context
        self._own: dict[str, Any] = {}
        """The user's own fields; those inside places under the place's name."""

    def draft(self) -> Draft:
        kind = self._kind()
        self._check_names(kind)
        fields = self._common()
        special = kind.__struct_fields__[len(Event.__struct_fields__) :]
        fields |= {name: self._special(name) for name in special if name != "ilmd"}
        private = self._private(kind)
        command = kind(eventID="urn:none", **fields)
        _check_dimensions(command, self._event)
        given = self._optional("eventID", self._uri) or self._optional("id", self._uri)
        event_id = given or hash_id(self._event, self._context)
        return Draft(structs.replace(command, eventID=event_id), private, own_id=given is not None)

    def _kind(self) -> type[Event]:
        name = event_type(self._event, self._context)
        message = "type is none of the five event types of EPCIS 2.0, and no URI of another one"
        require(name in _KINDS or bool(_URI.fullmatch(name)), "event-type", message)
        return _KINDS.get(name, ExtendedEvent)

    def _common(self) -> dict[str, Any]:
        offset = self._event.get("eventTimeZoneOffset")
        good = isinstance(offset, str) and _OFFSET.fullmatch(offset)
        require(bool(good), "eventTimeZoneOffset", "eventTimeZoneOffset is no offset like +01:00")
        recorded = self._event.get("recordTime")
        return {
            "eventTime": millis(self._event.get("eventTime"), "eventTime"),
            "eventTimeZoneOffset": offset,
            "recordTime": None if recorded is None else millis(recorded, "recordTime"),
            "bizStep": self._word(cbv.BIZ_STEP, self._event.get("bizStep")),
            "disposition": self._word(cbv.DISPOSITION, self._event.get("disposition")),
            "persistentDisposition": self._persistent(),
            "readPoint": self._place("readPoint"),
            "bizLocation": self._place("bizLocation"),
            "bizTransactionList": self._objects("bizTransactionList", self._transaction),
            "sourceList": self._objects("sourceList", self._source),
            "destinationList": self._objects("destinationList", self._source),
            "certificationInfo": self._certification(),
            "errorDeclaration": self._error(),
        }

    def _special(self, name: str) -> Any:
        if name == "action":
            action = self._event.get("action")
            require(action in _ACTIONS, "action", "action is none of ADD, OBSERVE, DELETE")
            return action
        if name in _ITEMS:
            return tuple(dict.fromkeys(self._uri(name, value) for value in self._array(name)))
        if name in _CLASSES:
            return self._objects(name, self._quantity)
        return self._optional(name, self._uri)

    # --- names ------------------------------------------------------------------------------------

    def _check_names(self, kind: type[Event]) -> None:
        known = {*kind.__struct_fields__} - {"part", "parts", "extensions"}
        if kind is ExtendedEvent:
            # Lists of items belong to the user's type here, and keep the standard's form.
            for name in (*_ITEMS, *_CLASSES, "parentID", "transformationID"):
                self._special(name)
            self._own |= {name: value for name, value in self._event.items() if name not in known | _NODE}
        else:
            self._own |= self._others(f"a {kind.__name__}", self._event, known)

    def _others(self, where: str, value: Json, known: Collection[str]) -> dict[str, Any]:
        """The user's own fields: their names are URIs, for a typing error must not pass for one."""
        own = {name: inner for name, inner in value.items() if name not in known and name not in _NODE}
        for name in own:
            named = ":" in name or name in self._context
            require(named, "field-unknown", f"{_short(name)} is no field of {where}")
        return own

    def _private(self, kind: type[Event]) -> dict[str, str]:
        found = {}
        for name, check in (("sensorElementList", _check_sensors), ("ilmd", self._check_ilmd)):
            value = self._event.get(name)
            if value is not None and value not in ([], {}):
                check(value)
                require(hasattr(kind, name), "field-unknown", f"{name} is no field of a {kind.__name__}")
                found[name] = canonical_json(value)
        error = self._event.get("errorDeclaration")
        if isinstance(error, dict):
            own = self._others("errorDeclaration", error, _ERROR)
            found |= {"errorDeclaration": canonical_json(own)} if own else {}
        return found | ({"extensions": canonical_json(self._own)} if self._own else {})

    def _check_ilmd(self, value: object) -> None:
        self._others("ilmd", _object("ilmd", value), ())

    # --- values -----------------------------------------------------------------------------------

    def _optional(self, name: str, parse: Callable[[str, object], T]) -> T | None:
        value = self._event.get(name)
        return None if value is None else parse(name, value)

    def _uri(self, name: str, value: object) -> str:
        text = cbv.expand(value.strip(), self._context) if isinstance(value, str) else ""
        require(bool(_URI.fullmatch(text)), name, f"{name} holds what is no URI")
        return text

    def _word(self, vocabulary: cbv.Vocabulary, value: object) -> str | None:
        if value is None:
            return None
        word = vocabulary.word(value, self._context) if isinstance(value, str) else None
        require(word is not None, vocabulary.field, f"{vocabulary.field} is no word of the CBV and no URI")
        return word

    def _array(self, name: str) -> list[Any]:
        return self._event.get(name, [])

    def _objects(self, name: str, parse: Callable[[str, Json], T]) -> tuple[T, ...]:
        return tuple(parse(name, _object(name, value)) for value in self._array(name))

    def _place(self, name: str) -> str | None:
        value = self._event.get(name)
        if not isinstance(value, dict):
            return self._optional(name, self._uri)
        own = {key: inner for key, inner in value.items() if key not in _NODE}
        if own:
            self._own[name] = own
        return self._uri(name, value.get("id", value.get("@id")))

    def _transaction(self, name: str, value: Json) -> BizTransaction:
        _check_entry(name, value, "type", "bizTransaction")
        identifier = self._uri(name, value.get("bizTransaction"))
        return BizTransaction(identifier, self._word(cbv.BIZ_TRANSACTION, value.get("type")))

    def _source(self, name: str, value: Json) -> SourceDest:
        end = name.removesuffix("List")
        _check_entry(name, value, "type", end)
        kind = self._word(cbv.SOURCE_DEST, value.get("type"))
        if kind is None:
            raise BadField(name, f"{name} has an entry without type")
        return SourceDest(kind, self._uri(name, value.get(end)))

    def _quantity(self, name: str, value: Json) -> QuantityElement:
        _check_entry(name, value, "epcClass", "quantity", "uom")
        amount, unit = value.get("quantity"), value.get("uom")
        number = isinstance(amount, int | Decimal) and not isinstance(amount, bool)
        require(amount is None or number, name, f"{name} has a quantity that is no number")
        good = unit is None or (isinstance(unit, str) and bool(_UNIT.fullmatch(unit)))
        require(good, name, f"{name} has a uom that is no code of UN/CEFACT Recommendation 20")
        return QuantityElement(
            self._uri(name, value.get("epcClass")), None if amount is None else plain(Decimal(amount)), unit
        )

    def _persistent(self) -> PersistentDisposition | None:
        name = "persistentDisposition"
        if self._event.get(name) is None:
            return None
        value = _object(name, self._event[name])
        _check_entry(name, value, "set", "unset")
        lists = [value.get(key, []) for key in ("set", "unset")]
        good = all(isinstance(words, list) for words in lists) and any(lists)
        require(good, name, "persistentDisposition has neither set nor unset")
        begun, ended = (tuple(self._disposition(word) for word in words or ()) for words in lists)
        return PersistentDisposition(begun, ended)

    def _disposition(self, value: object) -> str:
        word = self._word(cbv.DISPOSITION, value)
        if word is None:
            raise BadField("persistentDisposition", "persistentDisposition has an empty entry")
        return word

    def _certification(self) -> tuple[str, ...]:
        value = self._event.get("certificationInfo", [])
        values = value if isinstance(value, list) else [value]
        return tuple(self._uri("certificationInfo", one) for one in values)

    def _error(self) -> ErrorDeclaration | None:
        value = self._event.get("errorDeclaration")
        if value is None:
            return None
        if not isinstance(value, dict):
            raise BadField("errorDeclaration", "errorDeclaration is no object")
        ids = value.get("correctiveEventIDs", [])
        require(isinstance(ids, list), "errorDeclaration", "correctiveEventIDs is no list")
        return ErrorDeclaration(
            declarationTime=millis(value.get("declarationTime"), "declarationTime"),
            reason=self._word(cbv.ERROR_REASON, value.get("reason")),
            correctiveEventIDs=tuple(self._uri("correctiveEventIDs", one) for one in ids),
        )


def _check_dimensions(command: Event, event: Json) -> None:
    """What the event is about must be said (EPCIS 2.0, sections 7.4.2 to 7.4.6)."""
    match command:
        case ObjectEvent(action=action, readPoint=place):
            sensed = bool(event.get("sensorElementList")) and place is not None
            named = "epcList" in event or bool(command.quantityList) or sensed
            require(named, "epcList", "an ObjectEvent needs epcList, quantityList, or sensors at a readPoint")
            require(not event.get("ilmd") or action == "ADD", "ilmd", "ilmd is only for action ADD")
        case AggregationEvent(action=action) | AssociationEvent(action=action):
            named = bool(command.childEPCs or command.childQuantityList) or action == "DELETE"
            require(named, "childEPCs", "needs childEPCs or childQuantityList, except for DELETE")
            alone = command.parentID is None and isinstance(command, AssociationEvent)
            require(not alone, "parentID", "an AssociationEvent needs parentID")
        case TransactionEvent(action=action):
            require(bool(command.bizTransactionList), "bizTransactionList", "needs bizTransactionList")
            named = "epcList" in event or bool(command.quantityList) or action == "DELETE"
            require(named, "epcList", "needs epcList or quantityList, except for DELETE")
        case TransformationEvent():
            inputs = bool(command.inputEPCList or command.inputQuantityList)
            outputs = bool(command.outputEPCList or command.outputQuantityList)
            apart = command.transformationID is not None and (inputs or outputs)
            require(
                (inputs and outputs) or apart, "inputEPCList", "needs inputs and outputs, or its id and one"
            )


def _check_sensors(elements: list[object]) -> None:
    """Their outline: all that they hold is committed to as it is."""
    name = "sensorElementList"
    for element in (_object(name, value) for value in elements):
        _object(name, element.get("sensorMetadata", {}))
        reports = element.get("sensorReport")
        if not isinstance(reports, list) or not reports:
            raise BadField(name, "a sensor element needs a list of sensorReport objects")
        for report in reports:
            _object(name, report)


def _check_entry(name: str, value: Json, *known: str) -> None:
    """Entries of lists have no fields of the user's own (EPCIS 2.0): what would be lost is refused."""
    for key in value:
        require(key in known, "field-unknown", f"{_short(key)} is no field of {name}")


def _object(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadField(name, f"{name} holds what is no object")
    return value


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:40] + "...")  # noqa: PLR2004  # enough to find it
