"""A moment of fuzzing for every decoder; ``make fuzz`` does more of it."""

import random

import pytest

from grootboek.errors import BadFrame
from tests.hostile import fuzz as fuzzer
from tests.hostile.fuzz import Result, attempt, fuzz, main
from tests.hostile.mutations import MUTATIONS, mutated
from tests.hostile.targets import TARGETS, Target

RUNS = 400
GENTLE_RUNS = 80


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_break_it(name: str) -> None:
    target = TARGETS[name]
    result = fuzz(name, 1, runs=GENTLE_RUNS if target.gentle else RUNS)
    assert result.findings == []
    assert len(target.seeds()) <= result.taken < result.runs


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_themselves_are_taken(name: str) -> None:
    result = Result()
    for data in TARGETS[name].seeds():
        attempt(TARGETS[name], data, result)
    assert result.findings == []
    assert result.taken > 0


@pytest.mark.parametrize("broken", [IndexError("planted"), AssertionError("planted")])
def test_a_planted_defect_is_found(broken: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(data: bytes) -> None:
        if data[2:4] == b"\x00\x07":
            raise broken
        raise BadFrame("as documented")

    monkeypatch.setitem(TARGETS, "planted", Target(lambda: [bytes(8)], check, (BadFrame,)))
    assert fuzz("planted", 1, runs=20_000).findings


def test_each_mutation_changes_something() -> None:
    rng, corpus = random.Random(1), [b"\x93\x01\xc4\x02ab\x90\n\ncd", b"\x92\x05\xc0\n\x01"]
    for mutation in MUTATIONS:
        assert any(mutation(rng, data, corpus) != data for _ in range(20) for data in corpus)
    assert len({mutated(rng, corpus) for _ in range(200)}) > 100


def test_the_command_counts_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "0.2", "--seed", "3", "slot"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("slot: ")
    assert said[-1].startswith("seed 3, 0 findings")


def test_only_what_the_fuzzer_itself_takes_counts_as_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    # The suite's own process had grown to 457 MiB before it came here.
    monkeypatch.setattr(fuzzer, "GROWTH_KIB", fuzzer.peak_kib() // 2)
    assert main(["--seconds", "0.1", "--seed", "3", "slot"]) == 0
