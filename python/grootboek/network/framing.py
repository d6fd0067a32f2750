"""Frames in a byte stream: a length in 4 bytes, big-endian, then the canonical encoding of a Frame.

Pure: bytes in, frames out.
"""

from typing import Final

import msgspec

from grootboek.errors import BadFrame, FrameTooLarge
from grootboek.wire import Batch, Frame, decode, frames

__all__ = ["LENGTH_BYTES", "FrameReader", "decode_frame", "encode_frame"]

LENGTH_BYTES: Final = 4
_LARGE_BATCH: Final = b"\x92\x08\xc6"
"""How a Batch begins whose body is at least 64 KiB: an array of 2, the tag, a byte string with a
length of 4 bytes."""
_LARGE_BODY: Final = 1 << 16
_LARGE_HEAD: Final = len(_LARGE_BATCH) + 4

_decoder: Final[msgspec.msgpack.Decoder[Frame]] = frames
_encoder: Final = msgspec.msgpack.Encoder()


def encode_frame(frame: Frame) -> bytearray:
    """The frame as it goes over the wire, its length included. The caller must not change it."""
    buffer = bytearray(LENGTH_BYTES)
    _encoder.encode_into(frame, buffer, LENGTH_BYTES)
    buffer[:LENGTH_BYTES] = (len(buffer) - LENGTH_BYTES).to_bytes(LENGTH_BYTES, "big")
    return buffer


def decode_frame(payload: memoryview) -> Frame:
    """The frame in ``payload``, without its length; raises BadFrame unless it is canonical.

    A large Batch, nearly all of the traffic, is recognised by its head alone, since with that head
    there is only one encoding of its length and body: this saves copying it twice.
    """
    if bytes(payload[: len(_LARGE_BATCH)]) == _LARGE_BATCH:
        size = int.from_bytes(payload[len(_LARGE_BATCH) : _LARGE_HEAD], "big")
        if size >= _LARGE_BODY and size == len(payload) - _LARGE_HEAD:
            return Batch(bytes(payload[_LARGE_HEAD:]))
    return decode(_decoder, bytes(payload))


class FrameReader:
    """Cuts a stream into frames. Nothing is allocated for a length that is not allowed."""

    def __init__(self, limit: int) -> None:
        """``limit``: the largest frame in bytes; it may be changed between frames."""
        self.limit = limit
        self._buffer = memoryview(b"")
        self._later: list[bytes] = []
        self._available = 0
        self._size: int | None = None

    @property
    def partial(self) -> bool:
        """Whether bytes of an unfinished frame wait here, once ``next`` has returned None."""
        return self._available > 0 or self._size is not None

    def feed(self, data: bytes) -> None:
        """Add bytes as they came; call ``next`` until it returns None before feeding more."""
        self._later.append(data)
        self._available += len(data)

    def next(self) -> memoryview | None:
        """The next whole frame without its length; None where more bytes are needed.

        Raises FrameTooLarge, and BadFrame for an empty frame.
        """
        if self._size is None:
            head = self._take(LENGTH_BYTES)
            if head is None:
                return None
            size = int.from_bytes(head, "big")
            if size > self.limit:
                raise FrameTooLarge(f"{size} bytes, the limit is {self.limit}")
            if size == 0:
                raise BadFrame("the frame is empty")
            self._size = size
        frame = self._take(self._size)
        if frame is not None:
            self._size = None
        return frame

    def _take(self, size: int) -> memoryview | None:
        if self._available < size:
            return None
        if len(self._buffer) < size:
            self._buffer = memoryview(b"".join([self._buffer, *self._later]))
            self._later.clear()
        taken = self._buffer[:size]
        self._buffer = self._buffer[size:]
        self._available -= size
        return taken
