"""Real daemons under load and under every fault that one machine can make (docs/chaos.md)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from grootboek import receipts
from grootboek.bench.moment import metrics
from grootboek.cli.app import run
from grootboek.cli.exits import Exit
from grootboek.client import Result, Verifier
from grootboek.modules.records import Anchor
from grootboek.simulation.linearizability import check
from grootboek.types import Genesis
from tests.bad_input.preloading import NEEDS_PRELOADING
from tests.chaos.benefits import Benefits
from tests.chaos.field import REPLICAS, Field, field, say, until
from tests.chaos.nemesis import Nemesis
from tests.chaos.registers import Registers

pytestmark = [*NEEDS_PRELOADING, pytest.mark.timeout(1_800)]

ASKED_AT_ONCE = 16
ENOUGH = 50
"""Reads and writes at least, or the run shows little."""


class Load:
    """All clients of a run."""

    def __init__(self, field: Field, seed: int) -> None:
        self.registers = Registers(field, seed)
        self.benefits = Benefits(field, seed)

    @property
    def acknowledged(self) -> dict[bytes, Result]:
        """Every transaction with a proven outcome."""
        return self.registers.acknowledged | self.benefits.acknowledged

    @contextlib.asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        """While the block runs; every client then comes to its end, or this raises TimeoutError."""
        clients = [asyncio.create_task(self.registers.run()), asyncio.create_task(self.benefits.run())]
        try:
            yield
            self.registers.stop()
            self.benefits.stop()
            async with asyncio.timeout(60):
                await asyncio.gather(*clients)
        finally:
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)


@pytest.mark.parametrize(
    ("seed", "rounds"), [(1, 1), *(pytest.param(seed, 6, marks=pytest.mark.long) for seed in range(2, 8))]
)
async def test_every_fault_under_load(tmp_path: Path, libraries: list[Path], seed: int, rounds: int) -> None:
    async with field(tmp_path / "net", libraries) as here:
        load = Load(here, seed)
        nemesis = Nemesis(here, seed)
        async with load.under_way():
            await nemesis.run(rounds)
            await assert_progress_without_a_restart(here)
        say(f"{dict(nemesis.fired)}")
        assert set(nemesis.fired.values()) == {rounds}
        assert len(nemesis.fired) == len([*nemesis.of_network, *nemesis.of_one_replica])
        await assert_equal(here)
        say(await load.benefits.check())
        assert_linearizable(load.registers)
        assert_nobody_is_accused(here)
        await assert_every_replica_has(here, load.acknowledged.values())
    assert_offline(tmp_path / "net", load.acknowledged.values())


async def assert_progress_without_a_restart(here: Field) -> None:
    """All paths are open, nobody is faulty: whoever runs now takes part by itself."""
    before = here.pids
    for k in REPLICAS:
        async with here.client(k, timeout=60) as client:
            result = await client.submit(Anchor(key=f"after/{k}", digest=bytes(32)))
            assert result.applied
    say("every replica orders again")
    assert here.pids == before
    assert None not in before


async def assert_equal(here: Field) -> None:
    """Equal logs and states, all under a certificate."""

    async def equal() -> bool:
        found = (await here.statuses()).values()
        heads = {(one.height, one.size, one.certified_size, one.root) for one in found}
        return len(found) == len(REPLICAS) and len(heads) == 1

    say(f"equal after {await until('all replicas are equal', equal):.1f} s")
    logs = set()
    for k in REPLICAS:
        async with here.client(k) as client:
            certificate, _ = await client.certificate()
            logs.add((certificate.size, certificate.root))
    assert len(logs) == 1
    say(f"log of {logs.pop()[0]:,} entries")


def assert_linearizable(registers: Registers) -> None:
    kinds = [operation.kind for operation in registers.history]
    unknown = sum(operation.returned is None for operation in registers.history)
    say(
        f"{kinds.count('write')} writes, {unknown} of unknown outcome, {registers.refused} refused; "
        f"{kinds.count('read')} reads"
    )
    assert min(kinds.count("write"), kinds.count("read")) > ENOUGH
    anomaly = check(registers.history)
    assert anomaly is None, anomaly


def assert_nobody_is_accused(here: Field) -> None:
    """All were correct, whatever befell them: no contradiction, and none that a guard had to prevent."""
    for replica in here.net.genesis.replicas:
        found = metrics(replica)
        say(f"{replica.name} is in view {found['grootboek_view']:.0f}")
        assert (found["grootboek_evidence"], found["grootboek_refused_signatures"]) == (0, 0)


async def assert_every_replica_has(here: Field, results: Iterable[Result]) -> None:
    """A receipt of each acknowledged transaction, at the same place."""
    places = {result.id: result.index for result in results}
    ids = list(places)
    for k in REPLICAS:
        async with here.client(k, timeout=60) as client:
            for first in range(0, len(ids), ASKED_AT_ONCE):
                asked = ids[first : first + ASKED_AT_ONCE]
                found = await asyncio.gather(*map(client.receipt, asked))
                assert [receipt.index for receipt in found] == [places[identity] for identity in asked]
    say(f"{len(places)} receipts at each replica")


def assert_offline(folder: Path, results: Iterable[Result]) -> None:
    """With the genesis file alone: the receipts that clients hold, and everything on each disk."""
    verifier = Verifier(Genesis.load(folder / "genesis.json"))
    for result in results:
        proven = verifier.verify_receipt(receipts.decode(receipts.encode(result.receipt())))
        assert proven.transaction == result.id
    for k in REPLICAS:
        assert run(["verify", str(folder / f"replica-{k}"), "--json"]) == Exit.OK
