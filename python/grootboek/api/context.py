"""What every handler works with: the backend, a thread for reading, and the newest certified block."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from aiohttp import web

from grootboek import wire
from grootboek.api import answers
from grootboek.api.backend import Backend
from grootboek.api.settings import ApiSettings
from grootboek.errors import ApiError, NotFound
from grootboek.wire import BlockEntry, Certificate

__all__ = ["CONTEXT", "Context"]

T = TypeVar("T")

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

POLL_SECONDS: Final = 0.05
"""How often event streams look for a new certified block."""


class Context:
    """Shared by all requests of one server; lives on the server's event loop."""

    def __init__(self, backend: Backend, settings: ApiSettings) -> None:
        """Set ``closing`` first and call ``close`` at the end."""
        self.backend = backend
        self.settings = settings
        self.streams = 0
        self.closing = asyncio.Event()
        """Set when the server stops: event streams end."""
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="grootboek-read")

    def close(self) -> None:
        """End the reading thread."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    async def read(self, work: Callable[..., T], *args: Any) -> T:
        """Run a read of the ledger off the loop: one at a time, so that none starves submissions."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, work, *args)

    def certified(self) -> tuple[Certificate, BlockEntry]:
        """The newest stable checkpoint and its block; raises NotFound before the first."""
        certificate = self.backend.certificate()
        if certificate is None:
            raise NotFound("nothing is certified yet")
        return certificate, wire.block_of(certificate)

    async def newer(self, height: int) -> int:
        """Wait until a block above ``height`` is certified, or the poll ends: the certified height."""
        certificate = self.backend.certificate()
        now = 0 if certificate is None else wire.block_of(certificate).height
        if now > height:
            return now
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), POLL_SECONDS)
        return now

    def height(self, request: web.Request) -> int:
        """The height that ``as_of`` names, the last certified one by default.

        Raises ApiError for another spelling than a height or an ISO 8601 time with its zone.
        """
        text = request.query.get("as_of", "")
        _, block = self.certified()
        if not text:
            return block.height
        if text.isascii() and text.isdecimal():
            height = answers.natural(text)
        else:
            height = self.backend.ledger.height_at_time(_millis(text))
        if height is None or not 1 <= height <= block.height:
            raise NotFound(f"the certified heights are 1 to {block.height}", where="as_of")
        return height


def _millis(text: str) -> int:
    """Milliseconds since 1970 of an ISO 8601 time."""
    try:
        # A '+' of a zone arrives as a space where the client did not escape it.
        moment = dt.datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError as error:
        raise ApiError("neither a height nor an ISO 8601 time", where="as_of") from error
    if moment.tzinfo is None:
        raise ApiError("the time needs its zone, for example 2026-01-31T12:00:00Z", where="as_of")
    return (moment - _EPOCH) // dt.timedelta(milliseconds=1)


CONTEXT: Final = web.AppKey("context", Context)
