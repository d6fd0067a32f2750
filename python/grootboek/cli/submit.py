"""``grootboek submit``: one command, to its end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from grootboek.cli.drafting import Cosigning
from grootboek.cli.exits import Exit
from grootboek.cli.fields import read_fields
from grootboek.cli.modules import find_command, find_module
from grootboek.cli.options import Json, Ledger
from grootboek.cli.output import Outcome, facts, moment, talk
from grootboek.types import Genesis

if TYPE_CHECKING:
    from grootboek.client import Result

__all__ = ["final", "submit"]


async def submit(
    module: Annotated[str, Parameter(help="The module's name, for example records.")],
    command: Annotated[str, Parameter(help="The command's name, for example Anchor.")],
    fields: Annotated[
        tuple[str, ...], Parameter(help="NAME=VALUE of each field; bytes as hex, nested values as JSON.")
    ] = (),
    /,
    *,
    data: Annotated[
        str | None, Parameter(help="All fields as one JSON object instead; @FILE reads it, - is stdin.")
    ] = None,
    receipt: Annotated[Path | None, Parameter(help="Write the receipt (C2SP text) to this file.")] = None,
    cosigning: Cosigning | None = None,
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Submit one command and wait until its outcome is proven.

    Exit code 0 where it took effect, 3 where the module refused it.
    """
    home = find_module(module)
    value = read_fields(find_command(home, command).type, fields, data)
    ledger, drafting = (ledger or Ledger()).resolved(), (cosigning or Cosigning()).resolved()
    async with ledger.client(home, sign=True) as client:
        if drafting is not None:
            return drafting.write(client, value)
        result = await client.submit(value)
        genesis = client.genesis
    if receipt is not None:
        from grootboek.cli.receipt import spell

        receipt.write_bytes(spell(genesis, result.receipt(), "text"))
        talk(f"receipt written to {receipt}")
    return final(genesis, result)


def final(genesis: Genesis, result: "Result") -> Outcome:
    """What became of a transaction."""
    shown = {
        "transaction": result.id,
        "status": result.status,
        "outcomes": result.outcomes,
        "index": result.index,
        "height": result.height,
        "time": result.time,
    }
    rows = [
        ("transaction", result.id.hex()),
        ("outcome", ", ".join(result.outcomes) or result.status),
        ("log index", str(result.index)),
        ("in a block up to", str(result.height)),
        ("agreed time", moment(result.time)),
    ]
    exit_code = Exit.OK if result.applied else Exit.REFUSED
    return Outcome(shown, lambda: facts(f"final: {genesis.chain.origin}", rows), exit_code)
