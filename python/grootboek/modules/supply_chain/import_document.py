"""EPCIS 2.0 documents in JSON-LD: where their events stand, and each event as a command.

Documents are read as the JSON schema of the standard describes them, with the compact and full
spellings that JSON-LD allows. An event that the schema would not accept is refused with the name of the
field that is wrong.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct

from grootboek.errors import ImportFileError
from grootboek.modules.importing import BadField, Source
from grootboek.modules.supply_chain import import_vocabulary as cbv

__all__ = ["CONTEXT_MAX", "Found", "Json", "canonical_json", "event_type", "events", "require"]

Json = Mapping[str, Any]

CONTEXT_MAX: Final = 1_000
"""How many prefixes a document may define."""

_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)
_encoder: Final = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_TYPES: Final = frozenset(
    ("ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent")
)
_PLACES: Final = (
    ("epcisBody", "eventList"),
    ("epcisBody", "event"),
    ("epcisBody", "queryResults", "resultsBody", "eventList"),
    ("queryResults", "resultsBody", "eventList"),
    ("resultsBody", "eventList"),
    ("eventList",),
    ("member",),
)


class Found(Struct, frozen=True):
    """One event of a document."""

    locator: str
    """``$.epcisBody.eventList[3]``."""
    event: object
    context: dict[str, str]
    """Prefixes in force: those of EPCIS, of the document and of the event."""


def events(source: Source) -> Iterator[Found]:
    """The events of a document, of a query's result, of a list, or a bare event.

    Raises ImportFileError where the file is no JSON, or none of these.
    """
    document = _read(source)
    if isinstance(document, list):
        yield from _each("$", document, dict(cbv.CONTEXT))
        return
    if not isinstance(document, dict):
        raise ImportFileError("no EPCIS document: not a JSON object", where=str(source.path))
    context = _context(document, cbv.CONTEXT)
    if "eventTime" in document or event_type(document, context) in _TYPES:
        yield Found("$", document, context)
        return
    for place in _PLACES:
        value = _at(document, place)
        if value is not None:
            locator = ".".join(("$", *place))
            yield from _each(locator, value if isinstance(value, list) else [value], context)
            return
    raise ImportFileError("no EPCIS 2.0 document: it has no epcisBody.eventList", where=str(source.path))


def event_type(event: Json, context: Mapping[str, str]) -> str:
    """The bare name of the event's type, or what stands there."""
    kind = event.get("type", event.get("@type", ""))
    full = cbv.expand(kind, context) if isinstance(kind, str) else ""
    return full.removeprefix(cbv.CONTEXT["epcis"])


def canonical_json(value: object) -> str:
    """One text for one JSON value: keys sorted, no spaces, numbers as they were written."""
    return _encoder.encode(value).decode()


def _read(source: Source) -> object:
    data = source.read().removeprefix(b"\xef\xbb\xbf")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ImportFileError(f"no JSON: {error}", where=str(source.path)) from error


def _at(document: Json, place: tuple[str, ...]) -> object:
    value: object = document
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _each(locator: str, values: list[object], context: dict[str, str]) -> Iterator[Found]:
    for number, value in enumerate(values):
        own = _context(value, context) if isinstance(value, dict) else context
        yield Found(f"{locator}[{number}]", value, own)


def _context(value: Json, outer: Mapping[str, str]) -> dict[str, str]:
    """Prefixes and terms of ``@context``, the inner before the outer: URLs of contexts are not fetched,
    EPCIS's own is built in and protected (JSON-LD 1.1, section 4.1.11).
    """
    found = dict(outer)
    entries = value.get("@context", [])
    for entry in entries if isinstance(entries, list) else [entries]:
        for prefix, target in entry.items() if isinstance(entry, dict) else ():
            uri = target.get("@id") if isinstance(target, dict) else target
            free = not prefix.startswith("@") and prefix not in cbv.CONTEXT
            if isinstance(uri, str) and free and (prefix in found or len(found) < CONTEXT_MAX):
                found[prefix] = cbv.expand(uri, found)
    return found


def require(condition: bool, rule: str, message: str) -> None:  # noqa: FBT001  # reads as an assertion
    """Raise BadField(rule) unless the condition holds."""
    if not condition:
        raise BadField(rule, message)
