"""``python -m tests.defects.search [NAME...]``: look for a seed that finds each defect.

Writes ``found_by.json`` beside this file. A change of what seeds stand for needs a new search.
"""

import json
import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import structlog

from grootboek.simulation.campaign import Failure, outcome_of
from grootboek.simulation.scenario import DUELS, REIGN, REIGNS
from tests.defects.catalogue import DEFECTS

SEEDS = range(200)
FOUND_BY = Path(__file__).with_name("found_by.json")


def found_by() -> dict[str, int]:
    """The seed that finds each defect."""
    known: dict[str, int] = json.loads(FOUND_BY.read_text())
    return known


def in_order(known: int | None) -> list[int]:
    """The seed that has found a defect before, then those that find most: duels, and runs of many epochs."""
    rare = [seed for seed in SEEDS if seed % DUELS and seed % REIGNS != REIGN]
    first = [] if known is None else [known]
    return [*first, *(seed for seed in SEEDS if seed not in {*first, *rare}), *rare]


def search(name: str) -> tuple[int, str] | None:
    """A seed that finds a defect, and what it sees."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with pytest.MonkeyPatch.context() as patch:
        DEFECTS[name](patch.setattr)
        for seed in in_order(found_by().get(name)):
            outcome = outcome_of(seed)
            if isinstance(outcome, Failure):
                return seed, outcome.what
    return None


def main(names: list[str]) -> int:
    """Search for all, or for some; 1 where one is not found."""
    found, missed = found_by(), 0
    with ProcessPoolExecutor(2, max_tasks_per_child=1) as pool:
        for name, result in zip(names, pool.map(search, names), strict=True):
            print(f"{name}: {result or 'NOT FOUND'}", flush=True)  # noqa: T201  # this is a command
            missed += result is None
            if result is not None:
                found[name] = result[0]
    kept = {name: found[name] for name in sorted(found) if name in DEFECTS}
    FOUND_BY.write_text(json.dumps(kept, indent=2) + "\n")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or sorted(DEFECTS)))
