"""POST /v1/transactions and the receipts that follow."""

import io

import msgspec
import pytest

from grootboek import proofs, receipts, wire
from grootboek.client.answers import Result, verify_answer
from grootboek.client.verifier import Verifier
from grootboek.errors import PoolFull, Unavailable
from grootboek.proofs import Refused
from tests.api.backend import Put
from tests.api.conftest import Served, fill, transaction

OCTETS = {"Content-Type": "application/octet-stream"}


async def post(served: Served, body: bytes, **headers: str) -> tuple[int, bytes, str]:
    async with served.session.post(
        served.url + "/v1/transactions", data=body, headers=OCTETS | headers
    ) as answer:
        return answer.status, await answer.read(), answer.content_type


async def refusal(served: Served, body: bytes) -> tuple[int, str]:
    """Status and code of an error."""
    status, data, kind = await post(served, body)
    assert kind == "application/json"
    return status, msgspec.json.decode(data)["code"]


async def test_many_transactions_are_answered_at_once(served: Served) -> None:
    sent = [transaction(served.backend, Put(f"k{i}", b"v"), Put("long", bytes(101))) for i in range(300)]
    status, data, kind = await post(served, b"".join(one.frame for one in sent))
    assert (status, kind) == (200, "application/msgpack")
    results = verify_answer(Verifier(served.backend.genesis), wire.decode(proofs.answers, data), sent)
    outcomes = [result.outcomes for result in results if isinstance(result, Result)]
    assert outcomes == [("applied", "too-long")] * 300


async def test_bad_ones_are_refused_and_good_ones_go_on(served: Served) -> None:
    good = transaction(served.backend, Put("k", b"v"))
    spoiled = good.frame[:-1] + bytes([good.frame[-1] ^ 1])
    _, data, _ = await post(served, spoiled + good.frame)
    bad, fine = verify_answer(
        Verifier(served.backend.genesis), wire.decode(proofs.answers, data), [good, good]
    )
    assert isinstance(bad, Refused)
    assert isinstance(fine, Result)
    assert fine.applied


async def test_the_answer_may_be_json(served: Served) -> None:
    sent = transaction(served.backend, Put("k", b"v"))
    _, data, kind = await post(served, sent.frame, Accept="application/json")
    assert kind == "application/json"
    answer = msgspec.json.decode(data)
    assert answer["results"][0]["type"] == "final"
    assert answer["results"][0]["records"][0][0] == "applied"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "GB-7001")),
        (b"\0\0\0", (400, "GB-7001")),
        (b"\0\0\0\x05abc", (400, "GB-7001")),
        (b"\xff\xff\xff\xff" + bytes(100), (400, "GB-7001")),
        (b"\0\0\0\x01x" * 1_001, (413, "GB-7006")),
        (io.BytesIO(bytes(5 << 20)), (413, "GB-7006")),
    ],
    ids=["empty", "half a length", "too short", "far too short", "too many", "too large"],
)
async def test_what_is_no_request_is_refused(served: Served, body: bytes, expected: tuple[int, str]) -> None:
    assert await refusal(served, body) == expected
    assert served.backend.ledger.height == 0


async def test_a_body_of_unknown_length_is_cut_at_the_limit(served: Served) -> None:
    async def endless() -> "object":
        while True:
            yield bytes(1 << 16)

    async with served.session.post(served.url + "/v1/transactions", data=endless(), headers=OCTETS) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (PoolFull(), 429, "GB-1009"),
        (Unavailable("stopping"), 503, "GB-7004"),
        (RuntimeError("SECRET"), 500, "GB-7009"),
        (MemoryError("SECRET"), 500, "GB-7009"),
    ],
)
async def test_faults_of_the_node_get_a_code_and_no_traceback(
    served: Served, error: Exception, status: int, code: str
) -> None:
    served.backend.fail = error
    frame = transaction(served.backend, Put("k", b"v")).frame
    async with served.session.post(served.url + "/v1/transactions", data=frame, headers=OCTETS) as answer:
        text = await answer.text()
        assert (answer.status, msgspec.json.decode(text)["code"]) == (status, code)
        assert "SECRET" not in text
        assert "Traceback" not in text
        assert ("Retry-After" in answer.headers) == (status in {429, 503})


# --- receipts ------------------------------------------------------------------------------------


async def test_a_receipt_comes_in_three_forms(served: Served) -> None:
    sent = fill(served.backend, 3)[4]
    path = f"/v1/transactions/{sent.id.hex()}"
    genesis = served.backend.genesis
    shown = await served.json(path)
    _, packed, _ = await served.get(path, Accept="application/msgpack")
    _, text, headers = await served.get(path + "?format=text")
    receipt = receipts.decode(packed)
    assert receipts.from_json(msgspec.json.encode(shown["receipt"])) == receipt
    assert receipts.from_text(genesis, text) == receipt
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    proven = Verifier(genesis).verify_receipt(receipt)
    assert (proven.transaction, proven.height, shown["outcomes"]) == (sent.id, 3, ["applied"] * 2)


async def test_a_receipt_of_one_record_shows_nothing_of_the_others(served: Served) -> None:
    sent = fill(served.backend, 1)[0]
    _, data, _ = await served.get(f"/v1/transactions/{sent.id.hex()}?record=1&format=msgpack")
    proven = Verifier(served.backend.genesis).verify_receipt(data)
    assert [record.index for record in proven.records] == [1]
    assert b"key/0" not in data
    assert b"other/0" in data


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("00" * 32, 404, "GB-7002"),
        ("00" * 31, 400, "GB-7001"),
        ("AA" * 32, 400, "GB-7001"),
        ("zz", 400, "GB-7001"),
        ("00" * 32 + "?after=7", 503, "GB-7004"),
        ("00" * 32 + "?after=x", 400, "GB-7001"),
        ("00" * 32 + "?format=xml", 400, "GB-7001"),
    ],
)
async def test_a_wrong_question_about_a_receipt(served: Served, path: str, status: int, code: str) -> None:
    fill(served.backend, 1)
    found, data, _ = await served.get(f"/v1/transactions/{path}")
    assert (found, msgspec.json.decode(data)["code"]) == (status, code)


async def test_a_record_that_is_not_there(served: Served) -> None:
    sent = fill(served.backend, 1)[0]
    status, _, _ = await served.get(f"/v1/transactions/{sent.id.hex()}?record=2")
    assert status == 404


async def test_what_is_not_certified_is_unknown_as_yet_and_never_absent(served: Served) -> None:
    served.backend.certifies = False
    sent = transaction(served.backend, Put("k", b"v"))
    served.backend.order(sent.frame)
    path = f"/v1/transactions/{sent.id.hex()}"
    assert (await served.get(path))[0] == 503
    served.backend.certify()
    assert (await served.get(path))[0] == 200
