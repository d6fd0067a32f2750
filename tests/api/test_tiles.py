"""Paths of C2SP tlog-tiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.api.tiles import Tile, parse, path_of
from grootboek.errors import NotFound


@pytest.mark.parametrize(
    ("level", "path", "tile"),
    [
        ("0", "000", Tile(0, 0, 256)),
        ("0", "000.p/1", Tile(0, 0, 1)),
        ("1", "x001/x234/067", Tile(1, 1_234_067, 256)),
        ("entries", "x001/x234/067.p/255", Tile(None, 1_234_067, 255)),
        ("63", "999", Tile(63, 999, 256)),
    ],
)
def test_the_examples_of_the_standard(level: str, path: str, tile: Tile) -> None:
    assert parse(level, path) == tile
    assert path_of(tile) == f"/tile/{level}/{path}"


@pytest.mark.parametrize(
    ("level", "path"),
    [
        ("00", "000"),
        ("01", "000"),
        ("-1", "000"),
        ("entry", "000"),
        ("0", ""),
        ("0", "0"),
        ("0", "0000"),
        ("0", "x000/001"),
        ("0", "001/002"),
        ("0", "x001/x002"),
        ("0", "000.p/0"),
        ("0", "000.p/256"),
        ("0", "000.p/01"),
        ("0", "000.p/"),
        ("0", "000/"),
        ("0", "\u0660\u0660\u0660"),
        ("0", "x001/" * 20 + "000"),
    ],
)
def test_any_other_spelling_is_not_found(level: str, path: str) -> None:
    with pytest.raises(NotFound):
        parse(level, path)


@given(st.none() | st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_there_and_back(level: int | None, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    _, _, name, path = path_of(tile).split("/", 3)
    assert parse(name, path) == tile


@pytest.mark.parametrize(
    ("tile", "size", "there"),
    [
        (Tile(0, 0, 1), 1, True),
        (Tile(0, 0, 2), 1, False),
        (Tile(0, 0, 256), 256, True),
        (Tile(1, 0, 1), 256, True),
        (Tile(1, 0, 1), 255, False),
        (Tile(1, 0, 17), 70_000, True),
        (Tile(1, 1, 17), 70_000, True),
        (Tile(1, 1, 18), 70_000, False),
        (Tile(2, 0, 1), 70_000, True),
        (Tile(None, 273, 112), 70_000, True),
        (Tile(None, 273, 113), 70_000, False),
        (Tile(63, 0, 1), 2**52, False),
    ],
)
def test_what_a_log_of_a_size_has(tile: Tile, size: int, there: bool) -> None:
    """The standard's own example has 70,000 entries."""
    assert tile.within(size) is there
