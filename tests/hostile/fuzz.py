"""``python -m tests.hostile.fuzz --seconds 60``: fuzz every decoder of the Python side.

Each finding is printed with its target and seed, and its bytes in hex: a test for it starts from there.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from tests.hostile.mutations import mutated
from tests.hostile.targets import TARGETS, Target, names, seeded

CPU_SECONDS = 1.0
"""More than that no input of at most 128 KiB may cost."""
GROWTH_KIB = 300_000
"""How much the process may grow over all targets, their seeds included."""
SHOWN = 5


@dataclass
class Result:
    """What one target did."""

    runs: int = 0
    taken: int = 0
    """Inputs that were decoded: seeds, or harmless changes."""
    findings: list[tuple[bytes, str]] = field(default_factory=list)


def attempt(target: Target, data: bytes, result: Result) -> None:
    """One input; a finding is any other exception than the documented ones, or too much time."""
    began = time.process_time()
    result.runs += 1
    try:
        target.check(data)
    except target.errors:
        pass
    except Exception as error:  # noqa: BLE001  # that is what is looked for
        result.findings.append((data, f"{type(error).__name__}: {error}"[:300]))
    else:
        result.taken += 1
    if (spent := time.process_time() - began) > CPU_SECONDS:
        result.findings.append((data, f"took {spent:.1f} s"))


def fuzz(name: str, seed: int, *, runs: int | None = None, seconds: float = 0) -> Result:
    """The seeds as they are, then so many changed ones, or as many as the time allows."""
    target, rng, result = TARGETS[name], seeded(name, seed), Result()
    seeds = target.seeds()
    for data in seeds:
        attempt(target, data, result)
    until = time.monotonic() + seconds
    while (time.monotonic() < until) if runs is None else (result.runs < runs):
        attempt(target, mutated(rng, seeds), result)
        if len(result.findings) >= SHOWN:
            break
    return result


def peak_kib() -> int:
    """The most memory this process ever held, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(arguments: Sequence[str]) -> int:
    """Run all targets one after the other, each for its share of the time."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    given = parser.parse_args(arguments)
    structlog.configure(logger_factory=structlog.testing.CapturingLoggerFactory())
    chosen = names(given.targets)
    bad, before = 0, peak_kib()
    for name in chosen:
        result = fuzz(name, given.seed, seconds=given.seconds / len(chosen))
        bad += len(result.findings)
        print(f"{name}: {result.runs} runs, {result.taken} taken, {len(result.findings)} findings")  # noqa: T201  # a tool's output
        for data, reason in result.findings:
            print(f"  seed {given.seed}: {reason}\n  {data[:2_000].hex()}")  # noqa: T201  # the same
    grown = peak_kib() - before
    print(f"seed {given.seed}, {bad} findings, memory grew by {grown // 1024} MiB")  # noqa: T201  # the same
    return int(bad > 0 or grown > GROWTH_KIB)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
