"""Queries, state, blocks and descriptions, now and as of a height or time."""

import msgspec
import pytest

from grootboek import plain, proofs, wire
from grootboek.client.verifier import Verifier
from grootboek.types import Genesis
from grootboek.wire import Evidence, Prepare, Said
from tests.api.backend import Row, rows
from tests.api.conftest import Served, fill


async def test_a_query_answers_as_of_the_certified_height(served: Served) -> None:
    fill(served.backend, 3)
    answer = await served.json("/v1/query/shelf/row?key=key/1")
    assert answer["height"] == 3
    assert answer["result"] == {"value": "0201", "height": 3}


@pytest.mark.parametrize(
    ("as_of", "value"),
    [
        ("1", "0001"),
        ("2", "0101"),
        ("2026-01-01T00:00:02Z", "0101"),
        ("2026-01-01T00:00:02.999Z", "0101"),
        ("2026-01-01T01:00:03%2B01:00", "0201"),
        ("2026-01-01T01:00:03+01:00", "0201"),
        ("2030-01-01T00:00:00Z", "0201"),
    ],
)
async def test_as_of_takes_a_height_or_a_time(served: Served, as_of: str, value: str) -> None:
    fill(served.backend, 3)
    answer = await served.json(f"/v1/query/shelf/row?key=key/1&as_of={as_of}")
    assert answer["result"]["value"] == value


@pytest.mark.parametrize(
    ("as_of", "status"),
    [
        ("0", 404),
        ("4", 404),
        ("2026-01-01T00:00:00.5Z", 404),
        ("2026-01-01T00:00:02", 400),
        ("yesterday", 400),
        ("-1", 400),
        ("99999999999999999999", 404),
        ("9" * 5_000, 404),
    ],
)
async def test_as_of_something_else_is_refused(served: Served, as_of: str, status: int) -> None:
    fill(served.backend, 3)
    found, data, _ = await served.get(f"/v1/query/shelf/row?key=key/1&as_of={as_of}")
    assert found == status, data
    assert msgspec.json.decode(data)["where"] == "as_of"


async def test_every_kind_of_parameter_comes_through(served: Served) -> None:
    fill(served.backend, 1)
    row = '{"value":"ff","height":7}'
    answer = await served.json(f"/v1/query/shelf/search?keys=a&keys=b&raw=0aff&limit=3&exact=true&row={row}")
    assert answer["result"] == {
        "keys": ["a", "b"],
        "raw": "0aff",
        "limit": 3,
        "exact": True,
        "row": {"value": "ff", "height": 7},
    }


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("shelf/row", 400, "GB-7001"),
        ("shelf/row?key=a&kye=b", 400, "GB-7001"),
        ("shelf/search?limit=many", 400, "GB-7001"),
        ("shelf/search?raw=xyz", 400, "GB-7001"),
        ("shelf/search?row={", 400, "GB-7001"),
        ("shelf/search?row=" + "[" * 4_000, 400, "GB-7001"),
        ("shelf/search?limit=" + "9" * 5_000, 400, "GB-7001"),
        ("shelf/nothing?key=a", 404, "GB-7002"),
        ("nowhere/row?key=a", 404, "GB-7002"),
        ("shelf/private?key=a", 422, "GB-7005"),
        ("shelf/broken?key=a", 500, "GB-7009"),
    ],
)
async def test_a_wrong_query_is_refused(served: Served, path: str, status: int, code: str) -> None:
    fill(served.backend, 1)
    found, data, _ = await served.get(f"/v1/query/{path}")
    body = msgspec.json.decode(data)
    assert (found, body["code"]) == (status, code), body
    assert "SECRET" not in data.decode()
    assert body["fix"]


async def test_a_rule_that_refuses_a_query_gives_its_reason(served: Served) -> None:
    fill(served.backend, 1)
    _, data, _ = await served.get("/v1/query/shelf/private?key=a")
    assert msgspec.json.decode(data)["reason"] == "not-yours"


# --- state ---------------------------------------------------------------------------------------


async def test_the_state_is_shown_and_proven(served: Served) -> None:
    fill(served.backend, 3)
    key = rows.key("key/2")
    shown = await served.json(f"/v1/state/shelf/{key.hex()}?as_of=2")
    value = wire.encode(Row(b"\x01\x02", 2))
    assert shown == {"module": "shelf", "key": key.hex(), "value": value.hex(), "height": 2}
    _, data, _ = await served.get(f"/v1/state/shelf/{key.hex()}?proof=true&format=msgpack&as_of=2")
    proven = Verifier(served.backend.genesis).verify_state_proof(data)
    assert (proven.value, proven.height, proven.key) == (value, 2, key)


async def test_absence_is_shown_and_proven(served: Served) -> None:
    fill(served.backend, 1)
    assert (await served.json("/v1/state/shelf/00"))["value"] is None
    _, data, _ = await served.get("/v1/state/shelf/00?proof=true", Accept="application/msgpack")
    assert Verifier(served.backend.genesis).verify_state_proof(data).value is None


async def test_a_proof_may_be_json(served: Served) -> None:
    fill(served.backend, 1)
    _, data, _ = await served.get("/v1/state/shelf/00?proof=true")
    proof = plain.from_json(proofs.StateProof, data)
    assert Verifier(served.backend.genesis).verify_state_proof(proof).height == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [("shelf/0", 400), ("shelf/XX", 400), ("nowhere/00", 404), ("shelf/00?proof=maybe", 400)],
)
async def test_a_wrong_state_request_is_refused(served: Served, path: str, status: int) -> None:
    fill(served.backend, 1)
    assert (await served.get(f"/v1/state/{path}"))[0] == status


# --- the rest ------------------------------------------------------------------------------------


async def test_before_the_first_block_nothing_is_certified(served: Served) -> None:
    for path in ("/checkpoint", "/v1/certificate", "/v1/blocks/1", "/v1/query/shelf/row?key=a"):
        status, data, _ = await served.get(path)
        assert (status, msgspec.json.decode(data)["code"]) == (404, "GB-7002")


async def test_a_block_says_where_it_is(served: Served) -> None:
    fill(served.backend, 2)
    shown = await served.json("/v1/blocks/2")
    assert shown["block"]["transactions"] == 3
    assert (shown["start"], shown["index"]) == (10, 19)
    assert [(await served.get(f"/v1/blocks/{name}"))[0] for name in ("0", "3", "x", "1" * 30)] == [404] * 4


async def test_the_certificate_is_served(served: Served) -> None:
    fill(served.backend, 1)
    _, data, _ = await served.get("/v1/certificate", Accept="application/msgpack")
    certificate = wire.decode(wire.certificates, data)
    assert Verifier(served.backend.genesis).verify_certificate(certificate).height == 1
    assert (await served.json("/v1/certificate"))["size"] == certificate.size


async def test_the_genesis_file_is_served_whole(served: Served) -> None:
    _, data, _ = await served.get("/v1/genesis")
    assert Genesis.from_json(data).chain == served.backend.genesis.chain


async def test_the_policy_is_served(served: Served) -> None:
    _, data, _ = await served.get("/v1/policy")
    assert data.decode().endswith("quorum replicas\n")


async def test_modules_describe_themselves_from_their_types(served: Served) -> None:
    described = await served.json("/v1/modules")
    [shelf] = described["modules"]
    assert (shelf["name"], shelf["version"]) == ("shelf", 2)
    assert shelf["roles"] == {"shelf.keeper": "keeps the shelf"}
    assert shelf["reasons"] == {"too-long": "the value is too long"}
    [put] = shelf["commands"]
    assert (put["name"], put["doc"]) == ("Put", "Write a row.")
    components = described["components"]["schemas"]
    schema = components[put["schema"]["$ref"].rpartition("/")[2]]
    assert schema["properties"]["value"] == {"type": "string", "pattern": "^([0-9a-f]{2})*$"}
    assert {query["name"] for query in shelf["queries"]} == {"row", "search", "private", "broken"}


async def test_evidence_is_shown(served: Served) -> None:
    first, second = (Said(wire.encode(Prepare(0, 1, bytes([i]) * 32)), bytes([i]) * 64) for i in range(2))
    served.backend.accusations = (Evidence(0, 2, first, second),)
    shown = await served.json("/v1/evidence")
    [accused] = shown["evidence"]
    assert (accused["replica"], accused["epoch"]) == ("replica-2", 0)
    assert accused["first"]["payload"] == first.payload.hex()


async def test_status_is_one_row(served: Served) -> None:
    fill(served.backend, 2)
    async with served.client() as client:
        [row] = (await client.status()).values()
    assert row == served.backend.status()
