"""The log as static-looking files: the checkpoint, tiles and entry bundles."""

from aiohttp import web

from grootboek import receipts, webapi
from grootboek.api import answers, tiles
from grootboek.api.context import CONTEXT, Context
from grootboek.api.tiles import Tile
from grootboek.errors import NotFound
from grootboek.proofs import Handovers
from grootboek.wire import Certificate

__all__ = ["certificate", "checkpoint", "handovers", "tile"]

FRESH = "public, max-age=1"
FOREVER = "public, max-age=31536000, immutable"


async def checkpoint(request: web.Request) -> web.Response:
    """The newest checkpoint that a quorum has cosigned, as a C2SP signed note."""
    context = request.app[CONTEXT]
    certificate, _ = context.certified()
    backend = context.backend
    handovers = backend.ledger.epochs.up_to(certificate)
    note = receipts.note(backend.genesis, certificate, backend.log_signature(certificate), handovers)
    answer = answers.text(note)
    answer.headers["Cache-Control"] = FRESH
    return answer


async def certificate(request: web.Request) -> web.Response:
    """The newest stable checkpoint, with its block entry."""
    form = answers.form(request, "json", "msgpack")
    newest, _ = request.app[CONTEXT].certified()
    return answers.binary(newest) if form == "msgpack" else answers.json(newest)


async def handovers(request: web.Request) -> web.Response:
    """The hand-overs from an epoch on: from its replicas to those of the next one, and so on."""
    form = answers.form(request, "json", "msgpack")
    first = answers.number(request, "epoch", 0)
    known = Handovers(tuple(request.app[CONTEXT].backend.ledger.epochs.handovers[first:]))
    return answers.binary(known) if form == "msgpack" else answers.json(known)


async def tile(request: web.Request) -> web.Response:
    """A tile of hashes, or a bundle of entries; only what is certified is served."""
    context = request.app[CONTEXT]
    wanted = tiles.parse(request.match_info["level"], request.match_info["path"])
    newest, _ = context.certified()
    if not wanted.within(newest.size):
        raise NotFound(f"the certified log has {newest.size} entries", where=request.path)
    data = await context.read(_cut, context, wanted, newest)
    headers = {"Cache-Control": FOREVER}
    return web.Response(body=data, content_type=webapi.OCTETS, headers=headers)


def _cut(context: Context, wanted: Tile, newest: Certificate) -> bytes:
    ledger = context.backend.ledger
    if wanted.level is None:
        start = wanted.index * tiles.FULL
        return ledger.bundle(wanted.index, wanted.width) if start < newest.size else b""
    return ledger.tile(wanted.level, wanted.index, wanted.width)
