"""Following the ledger's events: server-sent events, resumed by cursor at any node."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import aiohttp
import msgspec

from grootboek import plain, webapi
from grootboek.client.nodes import Node, Nodes
from grootboek.errors import BadAnswer, GrootboekError
from grootboek.webapi import ErrorBody, LedgerEvent

__all__ = ["follow"]

SILENCE_SECONDS: Final = 60.0
"""A node sends at least a comment this often; a silent one is left for another."""
PAUSE_SECONDS: Final = 0.2


async def follow(nodes: Nodes, cursor: str, module: str) -> AsyncGenerator[LedgerEvent, None]:
    """Events after ``cursor``, for ever. Raises the error that a node gives for a wrong request."""
    while True:
        node = nodes.pick(asyncio.get_running_loop().time())
        try:
            async with contextlib.aclosing(_stream(nodes, node, cursor, module)) as events:
                async for event in events:
                    cursor = event.cursor
                    yield event
        except (aiohttp.ClientError, TimeoutError, OSError, BadAnswer):
            node.failed(asyncio.get_running_loop().time())
        await asyncio.sleep(PAUSE_SECONDS)


async def _stream(nodes: Nodes, node: Node, cursor: str, module: str) -> AsyncGenerator[LedgerEvent, None]:
    path = "/v1/events?" + urlencode({"cursor": cursor, "module": module})
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=SILENCE_SECONDS)
    async with nodes.session.get(node.url + path, ssl=node.context, timeout=timeout) as answer:
        if answer.status != HTTPStatus.OK:
            raise _refusal(await answer.read())
        node.worked()
        async for line in answer.content:
            if line.startswith(b"data: "):
                yield _event(line[6:])


def _event(data: bytes) -> LedgerEvent:
    try:
        return plain.from_json(LedgerEvent, data)  # type: ignore[no-any-return]  # the type that was asked for
    except msgspec.DecodeError as error:
        raise BadAnswer(str(error)) from error


def _refusal(data: bytes) -> GrootboekError:
    try:
        return webapi.error_of(msgspec.json.decode(data, type=ErrorBody))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return BadAnswer(str(error))
