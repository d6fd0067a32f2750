"""``grootboek receipt get`` and ``receipt verify``."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import App, Parameter

from grootboek.cli.options import Json, Ledger
from grootboek.cli.output import Outcome, facts, moment, talk
from grootboek.errors import BadReceipt, ConfigError, ProofError
from grootboek.proofs import Receipt
from grootboek.types import Genesis

__all__ = ["app", "spell"]

app = App(name="receipt", help="Fetch a receipt; verify one offline.")

Form = Literal["text", "json", "msgpack"]

MAX_FILE_BYTES = 64 << 20
ID_BYTES = 32


@app.command
async def get(
    transaction: Annotated[str, Parameter(help="The transaction's id, 64 hex digits.")],
    /,
    *,
    output: Annotated[Path | None, Parameter(help="Write it to this file instead of stdout.")] = None,
    form: Annotated[Form, Parameter(help="text: C2SP tlog-proof, which others' tools read.")] = "text",
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Fetch a transaction's receipt and verify it."""
    identity = _identity(transaction)
    ledger = (ledger or Ledger()).resolved()
    async with ledger.client() as client:
        receipt = await client.receipt(identity)
        genesis = client.genesis
    data = spell(genesis, receipt, "json" if json and output is None else form)
    if output is not None:
        output.write_bytes(data)
        shown = {"transaction": transaction, "file": str(output), "form": form, "bytes": len(data)}
        return Outcome(shown, lambda: f"verified, and written to {output}")
    talk("verified")
    return Outcome(msgspec.json.decode(data) if json else None, lambda: data)


@app.command
def verify(
    file: Annotated[Path, Parameter(help="A receipt in any of its three forms.")],
    /,
    *,
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Verify a receipt offline: nothing but the genesis file is needed.

    Exit code 0 where it proves what is printed, 4 where it proves nothing.
    """
    from grootboek.client import Verifier

    genesis = (ledger or Ledger()).resolved().load_genesis()
    try:
        proven = Verifier(genesis).verify_receipt(_read(file))
    except ProofError as error:
        raise type(error)(error.detail, where=": ".join(filter(None, (str(file), error.where)))) from error
    rows = [
        ("transaction", proven.transaction.hex()),
        ("signed by", ", ".join(key.hex() for key in proven.signers)),
        ("log index", str(proven.index)),
        ("in a block up to", str(proven.height)),
        ("agreed time", moment(proven.time)),
        ("cosigned by", ", ".join(proven.checkpoint.replicas)),
    ]
    rows += [(f"record {r.index}", f"{r.module}.{r.name} v{r.version}: {r.outcome}") for r in proven.records]
    return Outcome(
        {"verified": True, "proven": proven}, lambda: facts(f"verified: {genesis.chain.origin}", rows)
    )


def _identity(text: str) -> bytes:
    try:
        identity = bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError("a transaction's id is 64 hex digits", where=text) from error
    if len(identity) != ID_BYTES:
        raise ConfigError("a transaction's id is 64 hex digits", where=text)
    return identity


def spell(genesis: Genesis, receipt: Receipt, form: Form) -> bytes:
    """The receipt in one of its forms."""
    from grootboek import receipts

    if form == "text":
        return receipts.to_text(genesis, receipt).encode()
    return receipts.to_json(receipt) if form == "json" else receipts.encode(receipt)


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        data = opened.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise BadReceipt(f"longer than {MAX_FILE_BYTES} bytes")
    return data
