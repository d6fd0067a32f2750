"""The log: the RFC 6962 tree, its proofs, and the files below it."""

from itertools import count
from pathlib import Path

import pytest

from benches.measuring import Measure
from grootboek._core import Log, leaf_hashes
from grootboek.disk import RealDisk
from grootboek.ledger.files import frame
from grootboek.ledger.log import EntryLog

pytestmark = pytest.mark.benchmark(group="log")

ENTRY = bytes(250)
LEAVES = 10_000
BLOCK = [ENTRY] * 2_000
"""The entries of a thousand transactions with one command each."""


def test_leaf_hashes(measure: Measure) -> None:
    entries = frame([ENTRY] * LEAVES)
    measure(lambda: leaf_hashes(entries), items=LEAVES, of="leaves")


def test_append_leaves_and_root(measure: Measure) -> None:
    entries, log = frame([ENTRY] * LEAVES), Log()

    def append() -> bytes:
        size, _ = log.append(entries)
        return log.root(size)

    measure(append, items=LEAVES, of="leaves")


def test_inclusion_path_among_100000(measure: Measure) -> None:
    log, size = Log(), 100_000
    log.append(frame([ENTRY]) * size)
    positions = count(1)
    measure(lambda: log.inclusion(next(positions) * 7_919 % size, size))


@pytest.mark.parametrize("sync", [False, True], ids=["unsynced", "synced"])
def test_append_a_block_to_the_files(measure: Measure, tmp_path: Path, *, sync: bool) -> None:
    log = EntryLog(RealDisk(tmp_path))

    def append() -> None:
        log.append(BLOCK)
        if sync:
            log.sync()

    measure(append, items=len(BLOCK), of="entries")
