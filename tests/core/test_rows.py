"""Keys of rows, and filters of ids, against what they must be in Python."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek._core import IdFilter, digest, row_key

PARTS = st.lists(st.text(max_size=6) | st.binary(max_size=6) | st.integers(0, 2**64 - 1), max_size=4)


def part(value: str | bytes | int) -> bytes:
    if isinstance(value, int):
        return b"\x01" + value.to_bytes(8, "big")
    raw = value.encode() if isinstance(value, str) else value
    return b"\x02" + raw.replace(b"\0", b"\0\xff") + b"\0\0"


@given(st.binary(max_size=8), PARTS)
def test_a_key_is_its_prefix_and_its_parts(prefix: bytes, parts: list[str | bytes | int]) -> None:
    assert row_key(prefix, tuple(parts)) == prefix + b"".join(map(part, parts))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1, OverflowError),
        (2**64, OverflowError),
        (1.0, TypeError),
        (None, TypeError),
        (bytearray(b"a"), TypeError),
        ("\ud800", UnicodeEncodeError),
    ],
)
def test_what_is_no_part_is_refused(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        row_key(b"", (value,))  # type: ignore[arg-type]  # that is the test


@given(st.lists(st.binary(max_size=4)), st.lists(st.binary(max_size=4)))
def test_a_filter_names_all_that_were_added(added: list[bytes], asked: list[bytes]) -> None:
    one = IdFilter()
    one.add([digest(item) for item in added])
    found = one.candidates([digest(item) for item in asked])
    assert found == sorted(found)
    assert set(found) >= {i for i, item in enumerate(asked) if item in added}


def test_only_digests_are_ids() -> None:
    one = IdFilter()
    with pytest.raises(ValueError, match="32 bytes"):
        one.add([bytes(31)])
    one.add([bytes(32)])
    assert one.candidates([b"", bytes(31), bytes(32)]) == [2]
