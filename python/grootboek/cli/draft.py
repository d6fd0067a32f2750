"""``grootboek draft``: a transaction that several sign, each where its key is."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from grootboek.cli import drafting
from grootboek.cli.options import Json, Ledger
from grootboek.cli.output import Outcome, moment
from grootboek.cli.submit import final
from grootboek.errors import ExpiryTooFar

__all__ = ["app"]

app = App(name="draft", help="Look at, sign and send a transaction that several sign.")

File = Annotated[Path, Parameter(name="DRAFT", help="The file; whoever drafted it sent it round.")]


@app.command
def show(file: File, /, *, ledger: Ledger | None = None, json: Json = False) -> Outcome:
    """Show what a draft would do, who has signed it, and when it can be sent. Needs no network."""
    genesis = (ledger or Ledger()).resolved().load_genesis()
    return drafting.told(genesis, drafting.read(genesis, file), str(file))


@app.command
def sign(file: File, /, *, ledger: Ledger | None = None, json: Json = False) -> Outcome:
    """Add the signature of --key to a draft, and show what was signed. Needs no network."""
    options = (ledger or Ledger()).resolved()
    genesis = options.load_genesis()
    draft = drafting.read(genesis, file).signed(genesis.chain, options.signer())
    outcome = drafting.told(genesis, draft, f"signed: {file}")
    file.write_bytes(draft.to_json())
    return outcome


@app.command
async def send(
    files: Annotated[
        tuple[Path, ...], Parameter(name="DRAFT", help="The file, or copies of it that were signed apart.")
    ],
    /,
    *,
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Submit a draft that everybody has signed, and wait until its outcome is proven.

    Exit code 0 where it took effect, 3 where the module refused it.
    """
    from grootboek.client.client import now_ms

    options = (ledger or Ledger()).resolved()
    genesis = options.load_genesis()
    draft, *copies = [drafting.read(genesis, file) for file in files]
    prepared = draft.merged(copies).prepared(genesis.chain)
    first = drafting.opens(genesis, prepared.expiry)
    if now_ms() < first:
        raise ExpiryTooFar(f"it can be sent from {moment(first)} on", where=str(files[0]))
    async with options.client() as client:
        (result,) = await client.send_prepared([prepared])
    return final(genesis, result)
