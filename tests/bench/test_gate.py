"""The gate of the benches: what it stores, what it fails, and what it measures again."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from benches import gate
from grootboek.bench.host import host

SUITE = '''
from pathlib import Path
import pytest

class Clock:
    """Read before and after each call of a bench, which takes as long as the file says."""
    now, before = 0.0, False

    def __call__(self):
        self.before = not self.before
        if not self.before:
            self.now += float(Path("seconds").read_text())
        return self.now

@pytest.mark.benchmark(group="tiny", timer=Clock())
def test_steady(benchmark):
    benchmark.extra_info.update(items=10, of="things")
    benchmark.pedantic(int, rounds=3)
'''
CONFTEST = "def pytest_benchmark_generate_machine_info(): return {}"
"""Asking for more takes seconds."""


class Runs:
    """Stands in for pytest: each run measures the next medians, by bench."""

    def __init__(self) -> None:
        self.coming: Iterator[dict[str, float]] = iter(())
        self.asked: list[Sequence[str]] = []

    def measure(self, arguments: Sequence[str]) -> gate.Run:
        self.asked.append(arguments)
        return {
            "commit_info": {"id": "c0ffee"},
            "benchmarks": [
                {"fullname": name, "group": None, "extra_info": {}, "stats": {"median": median}}
                for name, median in next(self.coming).items()
            ],
        }

    def judge(self, store: Path, *medians: dict[str, float], fail: float = 25) -> int:
        """The gate's exit code for a run, and runs of what is measured again."""
        self.coming, self.asked = iter(medians), []
        code = gate.main(["--store", str(store), "--fail", str(fail), "benches"])
        assert next(self.coming, None) is None, "it measured less often than that"
        return code


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs()
    monkeypatch.setattr(gate, "measure", made.measure)
    return made


def stored(store: Path) -> list[float]:
    """The medians of the first bench, oldest first."""
    files = sorted(store.rglob("*.json"))
    return [json.loads(path.read_text())["benchmarks"][0]["stats"]["median"] for path in files]


def test_pytest_is_run_and_a_regression_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test_tiny.py").write_text(SUITE)
    Path("conftest.py").write_text(CONFTEST)
    arguments = ["--store", "stored", "-p", "no:cacheprovider", "test_tiny.py"]
    Path("seconds").write_text("1")
    assert gate.main(arguments) == 0
    first = capfd.readouterr().out
    assert "the first run of this machine; stored as" in first
    assert "10 things/s" in first
    Path("seconds").write_text("1.3")
    assert gate.main(arguments) == 1
    assert "regressed: test_tiny.py::test_steady: 1 s -> 1.3 s" in capfd.readouterr().out
    assert stored(Path("stored")) == pytest.approx([1.0])


def test_a_bench_that_fails_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "test_broken.py"
    path.write_text("def test_broken(benchmark): benchmark(int, 'x')")
    assert gate.main(["--store", str(tmp_path / "stored"), "-p", "no:cacheprovider", str(path)]) == 1
    assert stored(tmp_path) == []


def test_a_regression_is_not_what_the_next_run_is_measured_by(tmp_path: Path, runs: Runs) -> None:
    slow = {"a": 1.3}
    assert runs.judge(tmp_path, {"a": 1.0}) == 0
    assert runs.judge(tmp_path, slow, slow, slow) == 1
    assert runs.judge(tmp_path, slow, slow, slow) == 1
    assert stored(tmp_path) == [1.0]


def test_only_what_stays_slow_has_regressed(tmp_path: Path, runs: Runs) -> None:
    runs.judge(tmp_path, {"a": 1.0, "b": 1.0})
    assert runs.judge(tmp_path, {"a": 1.6, "b": 1.0}, {"a": 1.4}, {"a": 1.2}) == 0
    assert runs.asked == [["benches"], ["a"], ["a"]]
    assert stored(tmp_path) == [1.0, 1.2]


def test_the_share_can_be_chosen(tmp_path: Path, runs: Runs) -> None:
    runs.judge(tmp_path, {"a": 1.0})
    slow = {"a": 1.2}
    assert runs.judge(tmp_path, slow, slow, slow, fail=10) == 1
    assert runs.judge(tmp_path, slow, fail=30) == 0


def test_benches_come_and_go(tmp_path: Path, runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs.judge(tmp_path, {"f::a": 1.0, "f::b": 1.0, "g::d": 1.0})
    assert runs.judge(tmp_path, {"f::b": 1.0, "f::c": 9.0}) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not measured")]
    assert said == ["not measured any more: f::a"], "g was not asked for"
    slow = {"f::a": 2.0}
    assert runs.judge(tmp_path, slow | {"f::c": 9.0}, slow, slow) == 1, (
        "its last result counts, whenever it was"
    )


def test_another_machine_begins_anew(
    tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.judge(tmp_path, {"a": 1.0})
    other = replace(host(), cpu="another")
    monkeypatch.setattr(gate, "host", lambda: other)
    capsys.readouterr()
    assert runs.judge(tmp_path, {"a": 9.0}) == 0
    assert "the first run of this machine" in capsys.readouterr().out
