"""Values of commands from the command line."""

from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from grootboek.cli.fields import pairs, read_fields
from grootboek.errors import ConfigError


class Line(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A nested value."""

    article: str
    cents: int


class Bill(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Fields of each kind."""

    number: str
    digest: Annotated[bytes, Meta(min_length=2, max_length=2)]
    lines: tuple[Line, ...] = ()
    paid: bool = False
    due: int | None = None


def test_fields_become_a_typed_command() -> None:
    fields = ["number=17", "digest=00ff", 'lines=[{"article": "a", "cents": 5}]', "paid=true", "due=9"]
    assert read_fields(Bill, fields) == Bill("17", b"\x00\xff", (Line("a", 5),), paid=True, due=9)


def test_fields_are_given_one_way() -> None:
    with pytest.raises(ConfigError, match="not both"):
        read_fields(Bill, ["number=17"], '{"digest": "00ff"}')


def test_fields_from_json(tmp_path: Path) -> None:
    text = '{"number": "17", "digest": "00ff"}'
    (tmp_path / "bill.json").write_text(text)
    assert read_fields(Bill, (), text) == Bill("17", b"\x00\xff")
    assert read_fields(Bill, (), f"@{tmp_path / 'bill.json'}") == Bill("17", b"\x00\xff")


def test_an_equals_sign_may_be_in_a_value() -> None:
    assert pairs(["a=b=c"], "--map") == {"a": "b=c"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (["numbr=17", "digest=00ff"], "did you mean 'number'"),
        (["number=17"], "digest"),
        (["number=17", "digest=0"], "$.digest"),
        (["number=17", "digest=00FF"], "$.digest"),
        (["number=17", "digest=00ff00"], "$.digest"),
        (["number=17", "digest=00ff", "lines=[{]"], "not JSON"),
        (["number=17", "digest=00ff", "due=soon"], "$.due"),
        (["number=17", "number=18", "digest=00ff"], "twice"),
        (["number"], "NAME=VALUE"),
    ],
)
def test_a_wrong_field_is_named(fields: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_fields(Bill, fields)
    assert says in str(raised.value)


@pytest.mark.parametrize("data", ["[1]", "{", "@/nowhere/x.json"])
def test_wrong_data_is_named(data: str) -> None:
    with pytest.raises(ConfigError):
        read_fields(Bill, (), data)
