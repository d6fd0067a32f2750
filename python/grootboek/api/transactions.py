"""Submitting transactions, and their receipts."""

import asyncio

from aiohttp import web

from grootboek import proofs, receipts, webapi, wire
from grootboek.api import answers
from grootboek.api.budget import Budget
from grootboek.api.context import CONTEXT, Context
from grootboek.errors import ApiError, NotFound, RequestTooLarge, Unavailable
from grootboek.proofs import Receipt

__all__ = ["BUDGET", "address_of", "show", "submit"]

BUDGET = web.AppKey("budget", Budget)
LENGTH = 4
"""Bytes of the length in front of each transaction."""


async def submit(request: web.Request) -> web.Response:
    """Submit 1 to 1,000 framed transactions; answered when all of them are final or refused."""
    context, address = request.app[CONTEXT], address_of(request)
    form = answers.form(request, "msgpack", "json")
    now = asyncio.get_running_loop().time()
    size = request.content_length or context.settings.request_bytes
    if size > context.settings.request_bytes:
        raise RequestTooLarge(f"{size} bytes, the limit is {context.settings.request_bytes}")
    with request.app[BUDGET].body(address, size, now):
        body = await _body(request, context)
        count_frames(body, context.settings.request_transactions)
        answer = await context.backend.submit(body, address)
    if form == "json":
        value = wire.decode(proofs.answers, answer) if isinstance(answer, bytes) else answer
        return answers.json(value)
    data = answer if isinstance(answer, bytes) else wire.encode(answer)
    return web.Response(body=data, content_type=webapi.MSGPACK)


async def _body(request: web.Request, context: Context) -> bytes:
    try:
        async with asyncio.timeout(context.settings.body_seconds):
            return await request.read()
    except TimeoutError as error:
        raise ApiError("the body did not arrive in time") from error


def count_frames(body: bytes, limit: int) -> int:
    """How many framed transactions ``body`` holds. Raises ApiError, RequestTooLarge."""
    position = count = 0
    while position < len(body):
        position += LENGTH + int.from_bytes(body[position : position + LENGTH], "big")
        count += 1
        if count > limit:
            raise RequestTooLarge(f"more than {limit} transactions")
    if position != len(body) or not count:
        raise ApiError("the body is not framed transactions (4 bytes of length, then the transaction)")
    return count


async def show(request: web.Request) -> web.Response:
    """A transaction's receipt. NotFound: no entry up to this node's newest block (it may be pending)."""
    context = request.app[CONTEXT]
    identity = answers.hexadecimal(request, "id", 32)
    form = answers.form(request, "json", "msgpack", "text")
    after = answers.number(request, "after", 0)
    only = answers.number(request, "record", -1)
    receipt = await context.read(_receipt, context, identity, after, only)
    if form == "msgpack":
        return answers.binary(receipt)
    if form == "text":
        return answers.text(receipts.to_text(context.backend.genesis, receipt))
    return answers.json(_summary(identity, receipt))


def _receipt(context: Context, identity: bytes, after: int, only: int) -> Receipt:
    """Not NotFound but Unavailable where the transaction is there and not certified yet."""
    ledger = context.backend.ledger
    if ledger.height < after:
        raise Unavailable(f"this node is at height {ledger.height}", where="after")
    certificate = context.backend.certificate()
    if certificate is None:
        if ledger.locate(identity) is None:
            raise NotFound("no entry in the log", where=identity.hex())
        raise Unavailable("nothing is certified yet", where=identity.hex())
    signature = context.backend.log_signature(certificate)
    return ledger.receipt(identity, certificate, signature, None if only < 0 else [only])


def _summary(identity: bytes, receipt: Receipt) -> dict[str, object]:
    block = wire.block_of(receipt.certificate)
    records = [wire.decode(wire.record_entries, record.entry[1:]) for record in receipt.records]
    return {
        "id": identity.hex(),
        "status": "final",
        "outcomes": [record.outcome for record in records],
        "index": receipt.index,
        "certified_height": block.height,
        "certified_time": block.time,
        "receipt": receipts.to_builtins(receipt),
    }


def address_of(request: web.Request) -> str:
    """The client's network address, for quotas."""
    return request.remote or "unknown"
