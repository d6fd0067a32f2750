"""JSON for people: one form for each value, and the way back."""

from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct, ValidationError

from grootboek import plain, proofs, wire
from grootboek.proofs import Answer, Final, Receipt, Refused
from grootboek.wire import BlockEntry


class Inner(Struct, frozen=True, array_like=True):
    """Part of a value."""

    raw: bytes
    note: str | None = None


class Outer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A value as modules declare them."""

    id: Annotated[bytes, Meta(min_length=2, max_length=2)]
    amount: Annotated[int, Meta(ge=0)]
    parts: tuple[Inner, ...] = ()
    pair: tuple[int, bytes] = (0, b"")
    maybe: bytes | None = None
    table: dict[str, bytes] = {}


inners = st.builds(Inner, st.binary(), st.none() | st.text())
outers = st.builds(
    Outer,
    st.binary(min_size=2, max_size=2),
    st.integers(0, 2**53),
    st.lists(inners).map(tuple),
    st.tuples(st.integers(0, 9), st.binary()),
    st.none() | st.binary(),
    st.dictionaries(st.text(), st.binary()),
)


@given(outers)
def test_there_and_back(value: Outer) -> None:
    assert plain.from_json(Outer, plain.to_json(value)) == value


def test_bytes_are_lower_case_hex_and_fields_have_names() -> None:
    value = Outer(id=b"\x0a\xff", amount=1, parts=(Inner(b"\x01"),))
    assert plain.to_plain(value) == {
        "id": "0aff",
        "amount": 1,
        "parts": [{"raw": "01", "note": None}],
        "pair": [0, ""],
        "maybe": None,
        "table": {},
    }


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"id": "0AFF", "amount": 1}, "$.id"),
        ({"id": "0aff", "amount": -1}, "$.amount"),
        ({"id": "0aff00", "amount": 1}, "$.id"),
        ({"id": "0aff"}, "amount"),
        ({"id": "0aff", "amount": 1, "more": 1}, "more"),
        ({"id": "0aff", "amount": 1, "parts": [{"raw": "0"}]}, "$.parts[0].raw"),
        ({"id": "0aff", "amount": 1, "maybe": "0aff\n"}, "0aff"),
        ([], "object"),
    ],
)
def test_another_form_is_refused_with_its_place(data: object, place: str) -> None:
    with pytest.raises(ValidationError) as refused:
        plain.from_plain(Outer, data)
    assert place in str(refused.value)


def test_defaults_may_be_left_out() -> None:
    assert plain.from_plain(Outer, {"id": "0aff", "amount": 1}) == Outer(id=b"\x0a\xff", amount=1)


def test_query_strings_hold_numbers_as_text() -> None:
    assert plain.from_plain(Outer, {"id": "0aff", "amount": "7"}, strict=False).amount == 7


def test_tagged_unions_keep_their_tags() -> None:
    answer = Answer((Final(1, (("applied", ()),)), Refused("GB-1009", "full")), (), None, None)
    shown = plain.to_plain(answer)
    assert [result["type"] for result in shown["results"]] == ["final", "refused"]
    assert plain.from_plain(Answer, shown) == answer


def test_the_schema_describes_the_plain_form() -> None:
    [schema], components = plain.schemas([Outer])
    assert schema == {"$ref": "#/components/schemas/Outer"}
    outer = components["Outer"]
    assert outer["properties"]["id"] == {
        "type": "string",
        "minLength": 4,
        "maxLength": 4,
        "pattern": "^([0-9a-f]{2})*$",
    }
    assert outer["required"] == ["id", "amount"]
    assert outer["additionalProperties"] is False
    assert outer["description"] == "A value as modules declare them."


@pytest.mark.parametrize("kind", [Receipt, BlockEntry, Answer, wire.Certificate, proofs.StateProof])
def test_every_wire_type_of_the_api_has_a_schema(kind: type[Struct]) -> None:
    _, components = plain.schemas([kind])
    assert kind.__name__ in components
    assert msgspec.json.encode(components)


def test_two_types_of_one_name_get_two_schemas() -> None:
    other = msgspec.defstruct("Outer", [("x", int)], module="elsewhere")
    _, components = plain.schemas([Outer, other])
    assert len([name for name in components if "Outer" in name]) == 2
