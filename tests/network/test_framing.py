"""Frames: one encoding each, cut from a stream at any chunking, never allocated beyond the limit."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.errors import BadFrame, FrameTooLarge
from grootboek.network.framing import LENGTH_BYTES, FrameReader, decode_frame, encode_frame
from grootboek.transfer import Chunk, FetchChunk, FetchSnapshot, Manifest, Offer
from grootboek.wire import (
    Batch,
    Certificate,
    Checkpoint,
    Commit,
    Cosignature,
    Entries,
    Envelope,
    Evidence,
    FetchBatch,
    FetchEntries,
    Frame,
    Hello,
    HelloProof,
    Said,
    Signed,
    Status,
    Suspect,
    decode,
    encode,
    frames,
)

DIGEST = bytes(range(32))
COSIGNATURE = Cosignature(replica=1, time=5, signature=bytes(64))
CERTIFICATE = Certificate(
    size=3, root=DIGEST, block=b"\x03block", path=(DIGEST,), cosignatures=(COSIGNATURE,)
)
SAMPLES: list[Frame] = [
    Checkpoint(size=3, root=DIGEST, block=b"\x03block", cosignature=COSIGNATURE),
    Status(view=1, active=True, executed=2, stable=CERTIFICATE),
    Batch(body=b"transactions"),
    FetchBatch(digests=(DIGEST,)),
    FetchEntries(start=1, size=3),
    Entries(start=1, size=3, body=b"entries", proof=(DIGEST,)),
    Envelope(signed=Signed(sender=2, payload=encode(Commit(1, 2, DIGEST)), signature=bytes(64))),
    Hello(version=1, chain=DIGEST, epoch=0, replica=1, nonce=DIGEST),
    HelloProof(signature=bytes(64)),
    FetchSnapshot(size=3),
    Offer(size=3, snapshots=((Manifest(1, 2, DIGEST, 5, (DIGEST,)), (DIGEST,)),)),
    FetchChunk(height=1, index=0),
    Chunk(height=1, index=0, body=b"pairs"),
    Suspect(view=3),
    Evidence(epoch=0, replica=2, first=Said(b"a", bytes(64)), second=Said(b"b", bytes(64))),
]
KINDS = [type(sample).__name__ for sample in SAMPLES]


def payload(frame: Frame) -> memoryview:
    return memoryview(encode_frame(frame))[LENGTH_BYTES:]


def read_all(reader: FrameReader, chunks: list[bytes]) -> list[bytes]:
    found = []
    for chunk in chunks:
        reader.feed(chunk)
        while (frame := reader.next()) is not None:
            found.append(bytes(frame))
    return found


def test_there_is_a_sample_of_every_frame() -> None:
    assert {type(sample) for sample in SAMPLES} == set(Frame.__args__)


@pytest.mark.parametrize("frame", SAMPLES, ids=KINDS)
def test_a_frame_comes_back(frame: Frame) -> None:
    data = encode_frame(frame)
    assert int.from_bytes(data[:LENGTH_BYTES], "big") == len(data) - LENGTH_BYTES
    assert bytes(payload(frame)) == encode(frame)
    assert decode_frame(payload(frame)) == frame


@pytest.mark.parametrize("frame", SAMPLES, ids=KINDS)
def test_every_truncated_frame_is_refused(frame: Frame) -> None:
    whole = payload(frame)
    for length in range(len(whole)):
        with pytest.raises(BadFrame):
            decode_frame(whole[:length])


@pytest.mark.parametrize("frame", SAMPLES, ids=KINDS)
def test_a_frame_with_more_behind_it_is_refused(frame: Frame) -> None:
    with pytest.raises(BadFrame):
        decode_frame(memoryview(bytes(payload(frame)) + b"\x00"))


@pytest.mark.parametrize("frame", SAMPLES, ids=KINDS)
def test_a_longer_form_of_the_tag_is_refused(frame: Frame) -> None:
    whole = bytes(payload(frame))
    assert whole[1] < 0x80
    longer = whole[:1] + b"\xcc" + whole[1:]
    assert msgspec.msgpack.decode(longer) == msgspec.msgpack.decode(whole)
    with pytest.raises(BadFrame):
        decode_frame(memoryview(longer))


@given(st.binary(max_size=300))
def test_what_decodes_is_canonical_whatever_the_bytes(data: bytes) -> None:
    try:
        frame = decode_frame(memoryview(data))
    except BadFrame:
        return
    assert encode(frame) == data


@given(st.sampled_from(SAMPLES), st.data())
def test_a_mutated_frame_is_refused_or_canonical(frame: Frame, data: st.DataObject) -> None:
    mutated = bytearray(payload(frame))
    for _ in range(data.draw(st.integers(1, 3))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_frame(memoryview(mutated))
    except BadFrame:
        return
    assert encode(decoded) == mutated


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536, 65_537, 1 << 20])
def test_the_short_way_for_large_batches_is_the_same(size: int) -> None:
    whole = payload(Batch(bytes(size)))
    assert decode_frame(whole) == decode(frames, bytes(whole)) == Batch(bytes(size))


@pytest.mark.parametrize("size", [65_535, 65_536])
@pytest.mark.parametrize("claimed", [-1, 1, -65_000, 1 << 31])
def test_the_short_way_refuses_a_wrong_length(size: int, claimed: int) -> None:
    head = b"\x92\x08\xc6" + (size + claimed).to_bytes(4, "big")
    with pytest.raises(BadFrame):
        decode_frame(memoryview(head + bytes(size)))


def test_a_small_batch_in_the_large_form_is_refused() -> None:
    with pytest.raises(BadFrame):
        decode_frame(memoryview(b"\x92\x08\xc6" + (65_535).to_bytes(4, "big") + bytes(65_535)))


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.lists(st.integers(1, 40), min_size=1))
def test_frames_are_cut_the_same_at_any_chunking(bodies: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    chunks, turn = [], 0
    while stream:
        size = sizes[turn % len(sizes)]
        chunks.append(stream[:size])
        stream, turn = stream[size:], turn + 1
    reader = FrameReader(limit=50)
    assert read_all(reader, chunks) == bodies
    assert not reader.partial


def test_an_unfinished_frame_shows() -> None:
    reader = FrameReader(limit=10)
    assert not reader.partial
    for byte in b"\x00\x00\x00\x02a":
        assert read_all(reader, [bytes([byte])]) == []
        assert reader.partial
    assert read_all(reader, [b"b"]) == [b"ab"]
    assert not reader.partial


def test_the_limit_is_inclusive_and_may_change_between_frames() -> None:
    reader = FrameReader(limit=2)
    reader.feed(b"\x00\x00\x00\x02ab\x00\x00\x00\x03abc")
    assert bytes(reader.next() or b"") == b"ab"
    reader.limit = 3
    assert bytes(reader.next() or b"") == b"abc"
    reader.feed(b"\x00\x00\x00\x04")
    with pytest.raises(FrameTooLarge):
        reader.next()


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(BadFrame):
        read_all(FrameReader(limit=10), [bytes(4)])
