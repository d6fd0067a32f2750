"""A ledger of one replica in memory, founded for a workload: every transaction is executed at once."""

from collections.abc import Sequence

from grootboek import proofs
from grootboek._core import SigningKey, State, TransactionBatch
from grootboek.bench.signing import sign
from grootboek.bench.workloads import Draft, Workload
from grootboek.ledger import Ledger, Registry
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.founding import found, known_key
from grootboek.types import Genesis, Party

IN_BLOCK = 500


class Small:
    """``roles`` has a key for each role; ``run`` gives the outcomes of drafts in their order."""

    def __init__(self, workload: Workload) -> None:
        registry = Registry.discover()
        modules = [registry.load(name) for name in workload.modules]
        self.roles: dict[str, SigningKey] = {
            role: known_key(role) for module in modules for role in module.roles
        }
        parties = [
            Party(id=key.public[:16].hex(), keys=(key.public.hex(),), roles=(role,))
            for role, key in self.roles.items()
        ]
        versions = {module.name: module.version for module in modules}
        self.genesis: Genesis = found(1, versions, parties=parties)[0]
        self.ledger = Ledger.open(self.genesis, SimulatedDisk(), State(), registry)
        self._modules = modules

    def run(self, drafts: Sequence[Draft]) -> list[str]:
        """Each command's outcome; the drafts go in blocks, as batches would."""
        now = self.ledger.time or self.genesis.time
        signed = sign(self.genesis, drafts, now + 60_000)
        return [
            outcome
            for at in range(0, len(signed), IN_BLOCK)
            for outcome in self._block([one.frame for one in signed[at : at + IN_BLOCK]], now)
        ]

    def _block(self, frames: list[bytes], now: int) -> list[str]:
        batch = TransactionBatch(b"".join(frames), self.genesis.chain.digest)
        assert not any(batch.verdicts), list(batch.verdicts)
        block = self.ledger.execute(self.ledger.seq + 1, now, [batch])
        outcomes = []
        for _, final in block.results:
            assert isinstance(final, proofs.Final), final
            outcomes += [outcome for outcome, _ in final.records]
        return outcomes

    def broken(self) -> list[str]:
        """The invariants that do not hold."""
        return [
            name
            for module in self._modules
            for name, holds in module().invariants(self.ledger.view(module.name))
            if not holds
        ]
