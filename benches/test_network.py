"""The replicas' network: frames in a stream, and a link over loopback TLS with a handshake of its own."""

import time
from asyncio import Runner
from collections.abc import Iterator

import pytest

from benches.measuring import Measure
from grootboek.network import Lane
from grootboek.network.framing import FrameReader, decode_frame, encode_frame
from grootboek.wire import Batch, Commit, Envelope, Frame, Signed, encode
from tests.network.sites import Site

pytestmark = pytest.mark.benchmark(group="network", timer=time.perf_counter)

VOTES, BATCHES = 1_000, 8
VOTE = Envelope(Signed(1, encode(Commit(view=3, seq=1_000, digest=bytes(32))), bytes(64)))
READ_BYTES = 256 << 10
"""What one read of a socket brings at most."""


def frames(kind: str, batch: bytes) -> tuple[Lane, list[Frame]]:
    if kind == "votes":
        return Lane.VOTE, [VOTE] * VOTES
    return Lane.BATCH, [Batch(batch)] * BATCHES


@pytest.mark.parametrize("kind", ["votes", "batches"])
def test_encode_frames(measure: Measure, batch: bytes, kind: str) -> None:
    _, sent = frames(kind, batch)
    measure(lambda: [encode_frame(frame) for frame in sent], items=len(sent), of=kind)


@pytest.mark.parametrize("kind", ["votes", "batches"])
def test_cut_and_decode_frames(measure: Measure, batch: bytes, kind: str) -> None:
    _, sent = frames(kind, batch)
    stream = b"".join(map(encode_frame, sent))
    pieces = [stream[at : at + READ_BYTES] for at in range(0, len(stream), READ_BYTES)]

    def receive() -> list[Frame]:
        reader = FrameReader(4 << 20)
        found = []
        for piece in pieces:
            reader.feed(piece)
            while (payload := reader.next()) is not None:
                found.append(decode_frame(payload))
        return found

    assert receive() == sent
    measure(receive, items=len(sent), of=kind)


@pytest.fixture
def linked(runner: Runner) -> Iterator[Site]:
    """Two replicas that are connected."""
    site = Site(2)
    runner.run(site.all_connected())
    yield site
    runner.run(site.close())


@pytest.mark.parametrize("kind", ["votes", "batches"])
def test_link_over_tls(measure: Measure, linked: Site, batch: bytes, kind: str) -> None:
    """From one replica's ``send`` to the other's ``deliver``, encoding included."""
    lane, sent = frames(kind, batch)
    mesh, inbox = linked.meshes[0], linked.inboxes[1]

    async def carry() -> None:
        inbox.frames.clear()
        for frame in sent:
            mesh.send(1, frame, lane)
        await inbox.until(lambda: len(inbox.frames) == len(sent))

    measure(carry, items=len(sent), of=kind)
