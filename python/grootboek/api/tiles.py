"""The log as files: C2SP tlog-tiles paths, cut from the ledger on request.

Sources: c2sp.org/tlog-tiles, c2sp.org/tlog-checkpoint.
"""

import re
from typing import Final

from msgspec import Struct

from grootboek.errors import NotFound

__all__ = ["FULL", "Tile", "parse", "path_of"]

FULL: Final = 256
"""Hashes in a full tile, and entries in a full bundle."""

_LEVEL = re.compile(r"entries|0|[1-9]\d?", re.ASCII)
_INDEX = re.compile(r"((?:x\d{3}/){0,5}\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


class Tile(Struct, frozen=True):
    """One tile, or entry bundle, of a width."""

    level: int | None
    """None: entries."""
    index: int
    width: int

    def within(self, size: int) -> bool:
        """Whether a log of ``size`` entries has it."""
        hashes = size >> (8 * (self.level or 0))
        return self.index * FULL + self.width <= hashes


def parse(level: str, path: str) -> Tile:
    """From ``<L>`` and ``<N>[.p/<W>]`` of a path; raises NotFound for any other spelling."""
    found = _INDEX.fullmatch(path)
    if not found or not _LEVEL.fullmatch(level):
        raise NotFound("no such tile", where=f"/tile/{level}/{path}")
    digits = found[1].replace("x", "").replace("/", "")
    width = int(found[2]) if found[2] else FULL
    tile = Tile(None if level == "entries" else int(level), int(digits), width)
    if path_of(tile) != f"/tile/{level}/{path}":
        raise NotFound("no such tile", where=f"/tile/{level}/{path}")
    return tile


def path_of(tile: Tile) -> str:
    """The path of a tile: index 1234067 is ``x001/x234/067``."""
    level = "entries" if tile.level is None else tile.level
    groups = [f"{tile.index % 1000:03}"]
    rest = tile.index // 1000
    while rest:
        groups.insert(0, f"x{rest % 1000:03}")
        rest //= 1000
    partial = "" if tile.width == FULL else f".p/{tile.width}"
    return f"/tile/{level}/{'/'.join(groups)}{partial}"
