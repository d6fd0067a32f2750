"""The log as static-looking files."""

import pytest

from grootboek._core import Log, leaf_hashes
from grootboek.client.verifier import Verifier
from grootboek.wire import BLOCK_ENTRY
from tests.api.conftest import Served, fill


def split(bundle: bytes) -> list[bytes]:
    """The entries of a bundle: each behind its length of 2 bytes."""
    found = []
    while bundle:
        size = 2 + int.from_bytes(bundle[:2], "big")
        found.append(bundle[2:size])
        bundle = bundle[size:]
    return found


async def whole(served: Served, size: int) -> bytes:
    """All entry bundles of a log of ``size`` entries."""
    data = b""
    for number in range(0, size, 256):
        width = min(256, size - number)
        partial = "" if width == 256 else f".p/{width}"
        status, piece, _ = await served.get(f"/tile/entries/{number // 256:03}{partial}")
        assert status == 200
        data += piece
    return data


async def test_the_served_entries_lead_to_the_served_checkpoint(served: Served) -> None:
    fill(served.backend, 80)
    _, note, headers = await served.get("/checkpoint")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Cache-Control"] == "public, max-age=1"
    proven = Verifier(served.backend.genesis).verify_note(note)
    data = await whole(served, proven.size)
    log = Log()
    log.append(data)
    assert (log.size, log.root(log.size)) == (proven.size, proven.root)
    assert split(data)[-1][:1] == BLOCK_ENTRY


async def test_tiles_hold_the_hashes(served: Served) -> None:
    fill(served.backend, 80)
    size = served.backend.ledger.size
    assert size == 800
    leaves = leaf_hashes(await whole(served, size))
    for path, start, end in (
        ("000", 0, 256),
        ("002", 512, 768),
        ("003.p/32", 768, 800),
        ("001.p/7", 256, 263),
    ):
        status, data, headers = await served.get(f"/tile/0/{path}")
        assert (status, data) == (200, leaves[32 * start : 32 * end])
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    _, above, _ = await served.get("/tile/1/000.p/3")
    log = Log()
    log.append(await whole(served, 768))
    assert above == log.tile(1, 0, 3)


@pytest.mark.parametrize(
    "path",
    [
        "0/003",
        "0/003.p/33",
        "0/004.p/1",
        "1/000",
        "1/000.p/4",
        "2/000.p/1",
        "63/000.p/1",
        "entries/003",
        "entries/003.p/33",
        "entries/x001/000",
        "0/0",
        "x/000",
        "0/../../etc/passwd",
    ],
)
async def test_what_the_certified_log_does_not_have_is_not_served(served: Served, path: str) -> None:
    fill(served.backend, 80)
    assert (await served.get(f"/tile/{path}"))[0] == 404


async def test_entries_that_are_not_certified_are_not_served(served: Served) -> None:
    fill(served.backend, 1)
    served.backend.certifies = False
    fill(served.backend, 1)
    assert served.backend.ledger.size == 20
    assert (await served.get("/tile/entries/000.p/10"))[0] == 200
    assert (await served.get("/tile/entries/000.p/11"))[0] == 404
    assert (await served.get("/v1/blocks/2"))[0] == 404
