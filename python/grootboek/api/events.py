"""Events as server-sent events: pulled from the log by cursor, each exactly once.

The cursor is ``height/position``: the position of the event among those of its block, from 0. A
stream that breaks is resumed after the last cursor, at this node or any other.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import re
from typing import Final

import msgspec
from aiohttp import web

from grootboek import plain, wire
from grootboek.api.context import CONTEXT, Context
from grootboek.errors import ApiError, TooManyRequests
from grootboek.webapi import LedgerEvent

__all__ = ["events", "parse_cursor"]

HEARTBEAT_SECONDS: Final = 15.0
_CURSOR = re.compile(r"(0|[1-9]\d{0,14})/(0|[1-9]\d{0,14})", re.ASCII)


def parse_cursor(text: str) -> tuple[int, int]:
    """Height and position of the first event after the cursor; an empty one is before everything."""
    if not text:
        return 1, 0
    found = _CURSOR.fullmatch(text)
    if not found:
        raise ApiError("must be height/position, as events give it", where="cursor")
    return int(found[1]), int(found[2]) + 1


async def events(request: web.Request) -> web.StreamResponse:
    """Events after ``cursor``, for ever; only those of certified blocks."""
    context = request.app[CONTEXT]
    cursor = parse_cursor(request.headers.get("Last-Event-ID") or request.query.get("cursor", ""))
    module = request.query.get("module", "")
    if context.streams >= context.settings.streams:
        raise TooManyRequests(f"{context.streams} event streams are open")
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
    )
    context.streams += 1
    try:
        await response.prepare(request)
        await _follow(context, request, response, cursor, module)
    finally:
        context.streams -= 1
    return response


async def _follow(
    context: Context,
    request: web.Request,
    response: web.StreamResponse,
    start: tuple[int, int],
    module: str,
) -> None:
    """Until the server stops, or the client has left: without new blocks no write would show that."""
    height, position = start
    clock = asyncio.get_running_loop().time
    written = clock()
    while not context.closing.is_set() and request.transport is not None:
        certified = await context.newer(height - 1)
        for number in range(max(1, height), certified + 1):
            block = await context.read(_of_block, context, number)
            chosen = [_message(event) for event in block[position:] if module in {"", event.module}]
            height, position = number + 1, 0
            if chosen:
                await response.write(b"".join(chosen))
                written = clock()
        if clock() - written > HEARTBEAT_SECONDS:
            await response.write(b": alive\n\n")
            written = clock()


def _of_block(context: Context, height: int) -> list[LedgerEvent]:
    """All events of a block, in the order of its records."""
    block = context.backend.ledger.block(height)
    found: list[LedgerEvent] = []
    for index, entry in context.backend.ledger.records(height):
        record = wire.decode(wire.record_entries, entry[1:])
        command = wire.decode(wire.commands, record.command)
        for event in record.events:
            found.append(
                LedgerEvent(
                    cursor=f"{height}/{len(found)}",
                    height=height,
                    time=block.time,
                    index=index,
                    transaction=record.transaction,
                    command=record.index,
                    module=command.module,
                    name=event.name,
                    body=event.body,
                    fields=msgspec.msgpack.decode(event.body),
                )
            )
    return found


def _message(event: LedgerEvent) -> bytes:
    data = plain.to_json(event)
    return b"id: %s\nevent: %s.%s\ndata: %s\n\n" % (
        event.cursor.encode(),
        event.module.encode(),
        event.name.encode(),
        data,
    )
