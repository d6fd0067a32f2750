"""Runs the benches, stores what they measured, and fails where one got slower.

``python -m benches.gate [--fail 25] [--store .benchmarks] [pytest's arguments]``

Results lie in one folder for each machine: CPU, cores, Python and signature backend. Each bench is held
against the newest result that is stored for it there. One whose median is more than ``--fail`` per cent
higher is measured again, and its best median counts: only what stays slow has regressed. A run with a
regression is not stored, so that the next one is not measured by it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from grootboek._core import digest
from grootboek.bench.host import host

OPTIONS = (
    "--benchmark-only",
    "--benchmark-quiet",
    # CPU time: other work on the machine counts less. Layers that wait say themselves that theirs is not.
    "--benchmark-timer=time.process_time",
    "--benchmark-min-time=0.001",
    "--quiet",
)
AGAIN = 2
"""How often what looks slower is measured again."""
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))

Run = dict[str, Any]
"""The JSON of pytest-benchmark."""


class Failed(Exception):
    """The benches did not run to their end."""

    def __init__(self, code: int) -> None:
        super().__init__(f"pytest ended with {code}")
        self.code = code


class Result(Struct, frozen=True):
    """What one bench measured."""

    name: str
    """pytest's id of it."""
    group: str
    median: float
    """Seconds."""
    items: int
    """On so many things a call works."""
    of: str
    """What they are."""
    facts: dict[str, object]
    """What it noted besides."""


def results(run: Run) -> dict[str, Result]:
    """The results of a run, by name."""
    return {bench["fullname"]: _result(bench) for bench in run["benchmarks"]}


def _result(bench: dict[str, Any]) -> Result:
    facts = dict(bench["extra_info"])
    items, of = facts.pop("items", 1), facts.pop("of", "calls")
    return Result(bench["fullname"], bench["group"] or "", bench["stats"]["median"], items, of, facts)


def slower(before: Mapping[str, Result], now: Mapping[str, Result], percent: float) -> list[str]:
    """The benches whose median has grown by more than ``percent``."""
    limit = 1 + percent / 100
    return [name for name in now if name in before and now[name].median > limit * before[name].median]


def gone(last: Mapping[str, Result], now: Mapping[str, Result]) -> list[str]:
    """What the last run had of the files that were measured now, and this one has not."""
    files = {name.partition("::")[0] for name in now}
    return [name for name in last if name not in now and name.partition("::")[0] in files]


class Store:
    """The stored runs of this machine, oldest first."""

    def __init__(self, folder: Path) -> None:
        facts = host()
        text = f"{facts.cpu}, {facts.cores} cores, Python {facts.python}, Ed25519 {facts.backend}"
        self.machine = text
        self.folder = folder / digest(text.encode()).hex()[:12]
        self.files = sorted(self.folder.glob("*.json"))

    def newest(self) -> dict[str, Result]:
        """For each bench its newest result; empty where nothing is stored."""
        found: dict[str, Result] = {}
        for path in self.files:
            found |= self._read(path)
        return found

    def last(self) -> dict[str, Result]:
        """The results of the newest run alone."""
        return self._read(self.files[-1]) if self.files else {}

    @staticmethod
    def _read(path: Path) -> dict[str, Result]:
        return results(json.loads(path.read_text(encoding="utf-8")))

    def add(self, run: Run) -> Path:
        """Store a run, in the form that ``pytest-benchmark compare`` reads."""
        number = 1 + max((int(path.name[:4]) for path in self.files), default=0)
        commit = run["commit_info"].get("id", "")[:10] or "uncommitted"
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{number:04}_{commit}.json"
        path.write_text(json.dumps(run, indent=1), encoding="utf-8")
        return path


def measure(arguments: Sequence[str]) -> Run:
    """Run pytest with these arguments; raises Failed where a bench fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        command = [sys.executable, "-m", "pytest", *OPTIONS, f"--benchmark-json={path}", *arguments]
        done = subprocess.run(command, check=False)  # noqa: S603  # our own interpreter
        if done.returncode:
            raise Failed(done.returncode)
        run: Run = json.loads(path.read_bytes())
    for bench in run["benchmarks"]:
        bench["stats"].pop("data", None)
    return run


def measure_again(run: Run, names: Sequence[str]) -> None:
    """Measure some benches of the run once more; the better median of each stays."""
    better = {bench["fullname"]: bench for bench in measure(names)["benchmarks"]}
    for place, bench in enumerate(run["benchmarks"]):
        found = better.get(bench["fullname"], bench)
        if found["stats"]["median"] < bench["stats"]["median"]:
            run["benchmarks"][place] = found


def table(before: Mapping[str, Result], now: Mapping[str, Result]) -> str:
    """A line for each bench, by group: median, things a second, change against the stored median."""
    lines: list[str] = []
    group = None
    for result in sorted(now.values(), key=lambda result: result.group):
        if result.group != group:
            group = result.group
            lines += ["", group]
        lines.append(_line(result, before.get(result.name)))
    return "\n".join(lines)


def _line(result: Result, before: Result | None) -> str:
    name = result.name.partition("::")[2].removeprefix("test_")
    rate = f"{result.items / result.median:,.0f} {result.of}/s"
    change = "new" if before is None else f"{100 * (result.median / before.median - 1):+.0f} %"
    facts = ", ".join(f"{name} {value:,}" for name, value in result.facts.items())
    return f"  {name:60} {_time(result.median):>10} {rate:>28} {change:>8}  {facts}".rstrip()


def _time(seconds: float) -> str:
    scale, unit = next((one for one in UNITS if seconds >= one[0]), UNITS[-1])
    return f"{seconds / scale:.3g} {unit}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, 1 where something has regressed, or pytest's own where a bench failed."""
    parser = argparse.ArgumentParser(prog="benches.gate", description=__doc__.partition("\n")[0])
    parser.add_argument("--fail", type=float, default=25, help="per cent by which a median may grow")
    parser.add_argument("--store", type=Path, default=Path(".benchmarks"), help="folder of stored runs")
    options, chosen = parser.parse_known_args(arguments)
    store = Store(options.store)
    before = store.newest()
    _say(store.machine)
    try:
        run = measure(chosen)
        for _ in range(AGAIN):
            if suspects := slower(before, results(run), options.fail):
                _say(f"slower than before, measured again: {len(suspects)}")
                measure_again(run, suspects)
    except Failed as error:
        return error.code
    return _judge(store, before, run, options.fail)


def _judge(store: Store, before: Mapping[str, Result], run: Run, percent: float) -> int:
    now = results(run)
    _say(table(before, now) + "\n")
    for name in gone(store.last(), now):
        _say(f"not measured any more: {name}")
    regressed = slower(before, now, percent)
    for name in regressed:
        _say(f"regressed: {name}: {_time(before[name].median)} -> {_time(now[name].median)}")
    if regressed:
        _say(f"{len(regressed)} of {len(now)} benches are more than {percent:g} % slower; nothing is stored")
        return 1
    held = f"held against {store.files[-1]}" if before else "the first run of this machine"
    _say(f"{held}; stored as {store.add(run)}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
