"""Values of a Struct from the command line: ``NAME=VALUE``, or one JSON object."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from grootboek import plain
from grootboek.cli.options import suggest
from grootboek.errors import ConfigError, GenesisError
from grootboek.types import Party, ReplicaInfo

__all__ = ["pairs", "public_half", "read_fields"]

HalfOf = TypeVar("HalfOf", ReplicaInfo, Party)


def read_fields(kind: type[Struct], fields: Sequence[str], data: str | None = None) -> Struct:
    """The Struct that the fields give; raises ConfigError naming the field."""
    if data is not None and fields:
        raise ConfigError("give the fields as NAME=VALUE or as --data, not both", where="--data")
    values = _load(data) if data is not None else _parse(fields)
    for name in values:
        if name not in kind.__struct_encode_fields__:
            hint = suggest(name, kind.__struct_encode_fields__)
            raise ConfigError(f"{kind.__name__} has no field {name!r}{hint}", where=name)
    try:
        value = plain.from_plain(kind, values, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error), where=kind.__name__) from error
    assert isinstance(value, Struct)  # noqa: S101  # what from_plain gives for a Struct type
    return value


def pairs(items: Sequence[str], flag: str) -> dict[str, str]:
    """``A=B`` items as a dict; raises ConfigError."""
    found = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not name or not equals:
            raise ConfigError(f"{item!r} is not of the form NAME=VALUE", where=flag)
        if name in found:
            raise ConfigError(f"{name!r} is given twice", where=flag)
        found[name] = value
    return found


def public_half(path: Path, kind: type[HalfOf], whose: str) -> HalfOf:
    """What ``init`` wrote for others to read, of a replica or a party. Raises GenesisError, OSError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GenesisError(f"this is no {whose}'s public half: {error}", where=str(path)) from error


def _parse(fields: Sequence[str]) -> dict[str, Any]:
    return {name: _value(name, text) for name, text in pairs(fields, "FIELDS").items()}


def _value(name: str, text: str) -> Any:
    if not text.startswith(("{", "[")):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"not JSON: {error}", where=name) from error


def _load(data: str) -> dict[str, Any]:
    try:
        if data == "-":
            text = sys.stdin.read()
        elif data.startswith("@"):
            text = Path(data[1:]).read_text(encoding="utf-8")
        else:
            text = data
        return msgspec.json.decode(text, type=dict[str, Any])
    except OSError as error:
        raise ConfigError(error.strerror or str(error), where=data[1:]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not a JSON object: {error}", where="--data") from error
