"""``grootboek policy``: what verifiers of other makers need to know about this ledger."""

from grootboek import notes
from grootboek.cli.options import Json, Ledger
from grootboek.cli.output import Outcome
from grootboek.types import Genesis

__all__ = ["policy"]


def policy(*, ledger: Ledger | None = None, json: Json = False) -> Outcome:
    """Print the C2SP tlog-policy file: log keys, the replicas as witnesses, and their quorum."""
    genesis = (ledger or Ledger()).resolved().load_genesis()
    text = policy_of(genesis)
    return Outcome({"origin": genesis.chain.origin, "policy": text}, lambda: text)


def policy_of(genesis: Genesis) -> str:
    """The policy file of the founding epoch."""
    rows = [(r.name, r.log_key, r.cosigning_key, f"https://{r.api}") for r in genesis.replicas]
    return notes.policy(genesis.chain, 0, genesis.quorum.quorum, rows)
