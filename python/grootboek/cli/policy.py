"""``grootboek policy``: what verifiers of other makers need to know about this ledger."""

from typing import Annotated

from cyclopts import Parameter

from grootboek import notes
from grootboek.cli.options import Json, Ledger
from grootboek.cli.output import Outcome
from grootboek.types import Epoch, Genesis

__all__ = ["policy"]


async def policy(
    *,
    present: Annotated[
        bool,
        Parameter(
            negative=(), help="Of the present epoch, after asking the ledger (default: the founding one)."
        ),
    ] = False,
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Print the C2SP tlog-policy file: log keys, the replicas as witnesses, and their quorum."""
    options = (ledger or Ledger()).resolved()
    genesis = options.load_genesis()
    epoch = await _present(options) if present else genesis.founding
    text = policy_of(genesis, epoch)
    return Outcome({"origin": genesis.chain.origin, "epoch": epoch.number, "policy": text}, lambda: text)


async def _present(options: Ledger) -> Epoch:
    """The epoch of the newest checkpoint that a node shows; raises Unavailable, NotFound."""
    async with options.client() as client:
        await client.status()
        await client.certificate()
        return client.verifier.epochs.last


def policy_of(genesis: Genesis, epoch: Epoch) -> str:
    """The policy file of an epoch."""
    rows = [(r.name, r.log_key, r.cosigning_key, f"https://{r.api}") for r in epoch.replicas]
    return notes.policy(genesis.chain, epoch.number, epoch.quorum.quorum, rows)
