"""Following the ledger's events: server-sent events, resumed by cursor at any node."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import aiohttp

from grootboek import plain
from grootboek.client.nodes import BROKEN, UNREADABLE, Node, Nodes, read_body, refusal_of
from grootboek.errors import BadAnswer, GrootboekError, Unavailable
from grootboek.webapi import LedgerEvent

__all__ = ["follow"]

SILENCE_SECONDS: Final = 60.0
"""A node sends at least a comment this often; a silent one is left for another."""
PAUSE_SECONDS: Final = 0.2


async def follow(nodes: Nodes, cursor: str, module: str) -> AsyncGenerator[LedgerEvent, None]:
    """Events after ``cursor``, for ever. Raises the error that f + 1 nodes (or all that are known)
    give for a wrong request.
    """
    refused: set[str] = set()
    while True:
        node = nodes.pick(asyncio.get_running_loop().time(), refused)
        try:
            async with contextlib.aclosing(_stream(nodes, node, cursor, module)) as events:
                async for event in events:
                    refused.clear()
                    cursor = event.cursor
                    yield event
        except (*BROKEN, BadAnswer, Unavailable):
            node.failed(asyncio.get_running_loop().time())
        except GrootboekError:
            refused.add(node.name)
            if len(refused) >= nodes.enough:
                raise
        await asyncio.sleep(PAUSE_SECONDS)


async def _stream(nodes: Nodes, node: Node, cursor: str, module: str) -> AsyncGenerator[LedgerEvent, None]:
    path = "/v1/events?" + urlencode({"cursor": cursor, "module": module})
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=SILENCE_SECONDS)
    async with nodes.session.get(node.url + path, ssl=node.context, timeout=timeout) as answer:
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise Unavailable(f"HTTP status {answer.status}", where=node.name)
        if answer.status != HTTPStatus.OK:
            raise refusal_of(node, answer.status, await read_body(answer))
        node.worked()
        async for line in answer.content:
            if line.startswith(b"data: "):
                yield _event(line[6:])


def _event(data: bytes) -> LedgerEvent:
    try:
        return plain.from_json(LedgerEvent, data)  # type: ignore[no-any-return]  # the type that was asked for
    except UNREADABLE as error:
        raise BadAnswer(str(error)) from error
