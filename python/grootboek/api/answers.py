"""Forms of an answer, and how a request asks for one."""

from typing import Final

from aiohttp import web
from msgspec import Struct

from grootboek import plain, webapi, wire
from grootboek.errors import ApiError

__all__ = ["binary", "flag", "form", "hexadecimal", "json", "natural", "number", "text"]

DIGITS: Final = 15
"""So many digits are below 2**53, which every client's numbers hold."""

_TYPES: Final = {"json": webapi.JSON, "msgpack": webapi.MSGPACK, "text": webapi.PROOF}


def json(value: object, status: int = 200) -> web.Response:
    """The plain JSON form of a value."""
    return web.Response(body=plain.to_json(value), content_type=webapi.JSON, status=status)


def binary(value: Struct) -> web.Response:
    """A wire Struct in its canonical encoding."""
    return web.Response(body=wire.encode(value), content_type=webapi.MSGPACK)


def text(data: bytes | str) -> web.Response:
    """UTF-8 text."""
    body = data.encode() if isinstance(data, str) else data
    return web.Response(body=body, content_type=webapi.PROOF, charset="utf-8")


def form(request: web.Request, *allowed: str) -> str:
    """``json``, ``msgpack`` or ``text``: by ``?format=``, else by Accept, else the first allowed.

    Raises ApiError where none of ``allowed`` is asked for.
    """
    asked = request.query.get("format")
    if asked is None:
        accept = request.headers.get("Accept", "*/*")
        asked = next((name for name in allowed if _TYPES[name] in accept), None)
        if asked is None and "*/*" in accept:
            return allowed[0]
    if asked not in allowed:
        raise ApiError(f"the formats are {', '.join(allowed)}", where="format")
    return asked


def flag(request: web.Request, name: str) -> bool:
    """A truth value of the query string; raises ApiError for another word than true and false."""
    word = request.query.get(name, "false")
    if word not in {"true", "false"}:
        raise ApiError("must be true or false", where=name)
    return word == "true"


def number(request: web.Request, name: str, default: int) -> int:
    """A number of the query string; raises ApiError."""
    word = request.query.get(name)
    if word is None:
        return default
    found = natural(word)
    if found is None:
        raise ApiError("must be a number", where=name)
    return found


def natural(word: str) -> int | None:
    """The number that ``word`` spells; None where it is none, or has too many digits to be any here."""
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= DIGITS else None


def hexadecimal(request: web.Request, name: str, size: int | None = None) -> bytes:
    """Bytes from a part of the path, as lower-case hex; raises ApiError."""
    word = request.match_info[name]
    try:
        raw = bytes.fromhex(word)
    except ValueError as error:
        raise ApiError("must be lower-case hex", where=name) from error
    if raw.hex() != word or (size is not None and len(raw) != size):
        raise ApiError(f"must be {'' if size is None else 2 * size} lower-case hex digits", where=name)
    return raw
