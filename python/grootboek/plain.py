"""Values as JSON for people: objects with field names, and bytes as lower-case hex.

Wire Structs and module commands are arrays of raw bytes in msgpack. This module gives each of them
one JSON form and its JSON Schema, from the types alone; the way back refuses any other spelling.
"""

import types
import typing
from functools import cache, partial
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, structs

__all__ = ["from_json", "from_plain", "schemas", "to_json", "to_plain", "twin"]

HEX = "^([0-9a-f]{2})*$"
REF = "#/components/schemas/{name}"


def to_plain(value: object) -> Any:
    """``value`` as dicts, lists, text, numbers, truth values and None."""
    if isinstance(value, Struct):
        config = type(value).__struct_config__
        head = {} if config.tag is None else {config.tag_field or "type": config.tag}
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        return head | {shown: to_plain(getattr(value, name)) for name, shown in names}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(to_plain(key)): to_plain(item) for key, item in value.items()}
    return msgspec.to_builtins(value)


def to_json(value: object) -> bytes:
    """The JSON text of ``to_plain(value)``."""
    return msgspec.json.encode(to_plain(value))


def from_plain(kind: Any, data: object, *, strict: bool = True) -> Any:
    """The value of type ``kind`` that ``data`` is the plain form of.

    ``strict=False`` also reads numbers and truth values from text, as query strings need it.
    Raises msgspec.ValidationError, which names the place (``$.amount``).
    """
    try:
        return _restore(kind, msgspec.convert(data, twin(kind), strict=strict))
    except msgspec.ValidationError:
        raise
    except (TypeError, ValueError) as error:
        raise msgspec.ValidationError(str(error)) from error


def from_json(kind: Any, data: bytes) -> Any:
    """The value of type ``kind`` that the JSON text stands for; raises msgspec.DecodeError."""
    try:
        return from_plain(kind, msgspec.json.decode(data))
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error


def schemas(kinds: typing.Iterable[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """JSON Schemas of the plain forms of ``kinds``, and the components that they refer to."""
    schemas, components = msgspec.json.schema_components([twin(kind) for kind in kinds], ref_template=REF)
    return list(schemas), components


def twin(kind: Any) -> Any:
    """The type of the plain form: what ``kind`` looks like as JSON."""
    if kind is bytes:
        return Annotated[str, Meta(pattern=HEX)]
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _struct_twin(kind)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated_twin(parts[0], parts[1:])
    if origin in {Union, types.UnionType}:
        return Union[tuple(twin(part) for part in parts)]  # noqa: UP007  # the parts are computed
    if origin in {tuple, list, dict, set, frozenset}:
        return origin[tuple(part if part is Ellipsis else twin(part) for part in parts)]
    return kind


def _annotated_twin(base: Any, metas: tuple[Any, ...]) -> Any:
    if base is not bytes:
        return Annotated[(twin(base), *metas)]
    doubled = [
        Meta(
            min_length=meta.min_length and 2 * meta.min_length,
            max_length=meta.max_length and 2 * meta.max_length,
        )
        for meta in metas
        if isinstance(meta, Meta)
    ]
    return Annotated[(str, Meta(pattern=HEX), *doubled)]


@cache
def _struct_twin(kind: type[Struct]) -> type[Struct]:
    config = kind.__struct_config__
    made = msgspec.defstruct(
        kind.__name__,
        [_field_twin(field) for field in structs.fields(kind)],
        module=kind.__module__,
        namespace={"__doc__": kind.__doc__},
        tag=config.tag,
        tag_field=config.tag_field if config.tag is not None else None,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )
    _ORIGINALS[made] = kind
    return made


def _field_twin(field: structs.FieldInfo) -> Any:
    shown = twin(field.type)
    if field.required:
        return field.encode_name, shown
    if isinstance(field.default, str | int | bool | None):
        return field.encode_name, shown, field.default
    default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    factory = partial(msgspec.convert, to_plain(default), shown)
    return field.encode_name, shown, msgspec.field(default_factory=factory)


_ORIGINALS: dict[type[Struct], type[Struct]] = {}


def _restore(kind: Any, value: Any) -> Any:
    """The original of what a twin holds, guided by the original type."""
    if isinstance(value, Struct):
        return _restore_struct(value)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _restore(parts[0], value)
    if origin in {Union, types.UnionType}:
        return _restore_one_of(parts, value)
    if kind is bytes:
        return _unhex(value)
    return _restore_items(origin, parts, value)


def _restore_struct(value: Struct) -> Struct:
    original = _ORIGINALS[type(value)]
    fields = structs.fields(original)
    return original(
        **{field.name: _restore(field.type, getattr(value, field.encode_name)) for field in fields}
    )


def _restore_items(origin: Any, parts: tuple[Any, ...], value: Any) -> Any:
    if origin is tuple and Ellipsis not in parts:
        return tuple(_restore(part, item) for part, item in zip(parts, value, strict=True))
    if origin in {tuple, list, set, frozenset}:
        return origin(_restore(parts[0], item) for item in value)
    if origin is dict:
        return {_restore(parts[0], key): _restore(parts[1], item) for key, item in value.items()}
    return value


def _restore_one_of(parts: tuple[Any, ...], value: Any) -> Any:
    if isinstance(value, str) and str not in parts:
        return _restore(bytes, value)
    return next((_restore(part, value) for part in parts if _holds(part, value)), value)


def _holds(part: Any, value: Any) -> bool:
    base = get_args(part)[0] if get_origin(part) is Annotated else part
    base = get_origin(base) or base
    return isinstance(base, type) and isinstance(value, base)


def _unhex(text: str) -> bytes:
    raw = bytes.fromhex(text)
    if raw.hex() != text:
        raise ValueError(f"{text!r} is not lower-case hex")
    return raw
