"""Prints the machine and the signature backend above the benchmarks: ``python -m benches.host``."""

import sys

from grootboek.bench.host import host

if __name__ == "__main__":
    facts = host()
    sys.stdout.write(
        f"{facts.cpu}, {facts.cores} cores, {facts.memory_mb} MB\n"
        f"Linux {facts.kernel}, Python {facts.python}\n"
        f"Ed25519 backend (compiled in / chosen): {facts.backend}\n"
    )
