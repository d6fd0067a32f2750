"""Reading the ledger: queries, state, blocks, and what the ledger consists of."""

from typing import Any

import msgspec
from aiohttp import web
from msgspec import inspect

from grootboek import notes, plain, webapi
from grootboek.api import answers
from grootboek.api.context import CONTEXT, Context
from grootboek.errors import ApiError, NotFound
from grootboek.ledger.module import Query
from grootboek.webapi import QueryAnswer

__all__ = ["block", "evidence", "genesis", "modules", "policy", "query", "state", "status"]

RESERVED = {"as_of", "format"}
"""Parameters of every query that are not the module's own."""


async def status(request: web.Request) -> web.Response:
    """Where this node is, and what it sees."""
    return answers.json(request.app[CONTEXT].backend.status())


async def genesis(request: web.Request) -> web.Response:
    """The genesis file. Compare it with a copy from a source that you trust."""
    body = request.app[CONTEXT].backend.genesis.to_json()
    return web.Response(body=body, content_type=webapi.JSON)


async def policy(request: web.Request) -> web.Response:
    """The C2SP tlog-policy file of the present epoch, for verifiers of other makers."""
    backend = request.app[CONTEXT].backend
    epoch = backend.ledger.epochs.last
    rows = [(r.name, r.log_key, r.cosigning_key, f"https://{r.api}") for r in epoch.replicas]
    return answers.text(notes.policy(backend.genesis.chain, epoch.number, epoch.quorum.quorum, rows))


async def evidence(request: web.Request) -> web.Response:
    """Pairs of signed messages that no correct replica signs both."""
    context = request.app[CONTEXT]
    names = [replica.name for replica in context.backend.ledger.epochs.last.replicas]
    pairs = [
        {"replica": names[found.replica], "epoch": found.epoch, "first": found.first, "second": found.second}
        for found in context.backend.evidence()
    ]
    return answers.json({"evidence": pairs})


async def modules(request: web.Request) -> web.Response:
    """Active modules: commands, queries, roles and reasons, with JSON Schemas from their types."""
    active = request.app[CONTEXT].backend.ledger.registry.modules
    kinds = [c.type for m in active for c in m.commands.values()]
    kinds += [kind for m in active for q in m.queries.values() for kind in (q.type, q.result)]
    schemas, components = plain.schemas(kinds)
    found = iter(schemas)
    rows = [_module(module) for module in active]
    for row in rows:
        for command in row["commands"]:
            command["schema"] = next(found)
    for row in rows:
        for item in row["queries"]:
            item["parameters"], item["result"] = next(found), next(found)
    return answers.json({"modules": rows, "components": {"schemas": components}})


def _module(module: Any) -> dict[str, Any]:
    return {
        "name": module.name,
        "version": module.version,
        "doc": module.__doc__ or "",
        "roles": module.roles,
        "reasons": module.reasons,
        "commands": [{"name": c.name, "doc": c.doc} for c in module.commands.values()],
        "queries": [{"name": q.name, "doc": q.doc} for q in module.queries.values()],
    }


async def query(request: web.Request) -> web.Response:
    """Ask a module; one node's word, without a proof."""
    context = request.app[CONTEXT]
    module, name = request.match_info["module"], request.match_info["query"]
    asked = _query(context, module, name)
    arguments = _arguments(asked, request)
    height = await context.read(context.height, request)
    time, result = await context.read(_ask, context, module, name, arguments, height)
    return answers.json(QueryAnswer(module=module, query=name, height=height, time=time, result=result))


def _query(context: Context, module: str, name: str) -> Query:
    found = context.backend.ledger.registry.get(module)
    if found is None or name not in found.queries:
        raise NotFound("no such query", where=f"{module}/{name}")
    return found.queries[name]


def _arguments(asked: Query, request: web.Request) -> Any:
    """The query's typed argument from the query string; raises ApiError naming the field."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(plain.twin(asked.type))}
    data: dict[str, Any] = {}
    for key in dict.fromkeys(key for key in request.query if key not in RESERVED):
        values = request.query.getall(key)
        data[key] = _value(fields.get(key, str), values)
    try:
        return plain.from_plain(asked.type, data, strict=False)
    except msgspec.ValidationError as error:
        raise ApiError(str(error), where=asked.name) from error


def _value(kind: Any, values: list[str]) -> Any:
    """One parameter: a list where the field is one, JSON where it is an object, else text."""
    shapes = _shapes(inspect.type_info(kind))
    if any(isinstance(shape, inspect.VarTupleType | inspect.ListType) for shape in shapes):
        return values
    if any(isinstance(shape, inspect.StructType | inspect.DictType) for shape in shapes):
        try:
            return msgspec.json.decode(values[-1])
        except (msgspec.DecodeError, RecursionError) as error:
            raise ApiError(str(error)) from error
    return values[-1]


def _shapes(described: inspect.Type) -> tuple[inspect.Type, ...]:
    """The members of a union, or the one type."""
    return described.types if isinstance(described, inspect.UnionType) else (described,)


def _ask(context: Context, module: str, name: str, arguments: Any, height: int) -> tuple[int, Any]:
    ledger = context.backend.ledger
    return ledger.block(height).time, ledger.query(module, name, arguments, height)


async def state(request: web.Request) -> web.Response:
    """The value of a key of a module's state; with ``proof=true`` what an offline verifier needs."""
    context = request.app[CONTEXT]
    module, key = request.match_info["module"], answers.hexadecimal(request, "key")
    proof, form = answers.flag(request, "proof"), answers.form(request, "json", "msgpack")
    height = await context.read(context.height, request)
    if proof:
        certificate, _ = context.certified()
        proven = await context.read(context.backend.ledger.state_proof, module, key, height, certificate)
        return answers.binary(proven) if form == "msgpack" else answers.json(proven)
    value = await context.read(context.backend.ledger.get_at, module, key, height)
    return answers.json({"module": module, "key": key, "value": value, "height": height})


async def block(request: web.Request) -> web.Response:
    """A block: its entry, and where it is in the log."""
    context = request.app[CONTEXT]
    text = request.match_info["height"]
    _, newest = context.certified()
    height = answers.natural(text)
    if height is None or not 1 <= height <= newest.height:
        raise NotFound(f"the certified heights are 1 to {newest.height}", where=text)
    found = await context.read(context.backend.ledger.block, height)
    return answers.json({"block": found.entry, "start": found.start, "index": found.index})
