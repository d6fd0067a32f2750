"""A hand-over on the disk: what it says of the log, whatever else a crash has left."""

import random

from grootboek._core import State
from grootboek.ledger import Ledger, Registry
from grootboek.modules.parties import Parties
from grootboek.modules.replicas import Replicas
from grootboek.node.judging import judge_request
from grootboek.notes import cosigned_bytes
from grootboek.simulation.clients import transaction
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.founding import found
from grootboek.simulation.heap import EPOCH_MS
from grootboek.simulation.membership import GOVERNOR_KEY, governor, open_epoch
from grootboek.wire import Certificate, Cosignature

REGISTRY = Registry.of(Parties, Replicas)
MODULES = {name: REGISTRY.load(name).version for name in REGISTRY.names}
GENESIS, KEYS = found(4, MODULES, parties=(governor(),))


def opened(disk: SimulatedDisk) -> Ledger:
    """By a replica whose journal vouches for nothing, as that of an observer."""
    return Ledger.open(GENESIS, disk, State(), REGISTRY, State, vouched=())


def closed(disk: SimulatedDisk) -> tuple[Ledger, Certificate]:
    """A ledger of one block, which closes the founding epoch, and its certificate."""
    ledger = opened(disk)
    command = open_epoch(GENESIS.chain.origin, 1, dict.fromkeys(range(4), 0))
    _, body = transaction(GENESIS.chain, GOVERNOR_KEY, 0, command)
    block = ledger.execute(1, EPOCH_MS, [judge_request(body, GENESIS)])
    assert block.closes
    signed = cosigned_bytes(GENESIS.chain.origin, block.size, block.root, 1)
    cosignatures = tuple(Cosignature(i, 1, KEYS[i].cosigning.sign(signed)) for i in range(3))
    return ledger, Certificate(block.size, block.root, block.raw, block.path, cosignatures)


def test_it_vouches_for_the_log_up_to_it() -> None:
    """Found by the simulator (seed 14): a newcomer that had been an observer cut its log below the epoch
    that it had begun, and believed to have forgotten votes of that one.
    """
    disk = SimulatedDisk()
    ledger, certificate = closed(disk)
    ledger.certify(certificate)
    ledger.sync()
    ledger.hand_over(certificate)
    disk.crash(random.Random(1))
    again = opened(disk)
    assert (again.size, again.root) == (certificate.size, certificate.root)
    assert again.epochs.last.number == 1
    assert not again.closed
