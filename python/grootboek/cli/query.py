"""``grootboek query``: ask a module, now or as of a height or time."""

from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from grootboek import plain
from grootboek.cli.fields import read_fields
from grootboek.cli.modules import find_module, find_query
from grootboek.cli.options import Json, Ledger
from grootboek.cli.output import Outcome, to_json

__all__ = ["query"]


async def query(
    module: Annotated[str, Parameter(help="The module's name, for example tax.")],
    name: Annotated[str, Parameter(help="The query's name.")],
    fields: Annotated[
        tuple[str, ...], Parameter(help="NAME=VALUE of each argument; bytes as hex, nested values as JSON.")
    ] = (),
    /,
    *,
    as_of: Annotated[
        str | None, Parameter(help="A height, or a time as ISO 8601 (2026-11-24T12:00:00Z); default: now.")
    ] = None,
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Ask a module. The answer is one node's word; `receipt` gives proof."""
    kind = find_query(find_module(module), name)
    arguments: dict[str, Any] = plain.to_plain(read_fields(kind.type, fields))
    moment = int(as_of) if as_of is not None and as_of.isascii() and as_of.isdecimal() else as_of
    ledger = (ledger or Ledger()).resolved()
    async with ledger.client() as client:
        answer = await client.query(module, name, as_of=moment, **arguments)
    return Outcome(msgspec.structs.asdict(answer), lambda: to_json(answer.result))
