"""A scenario that says something else than what happens is noticed."""

import pytest

from tests.scenarios.commands import Interpreter, Refused
from tests.scenarios.script import replayed

RECORDED = """\
# A comment.

> cluster n=4
    4 replicas, quorum 3
> commit 1 to r2
    height 0 -> 1: r0..3
    sent: 3 BATCH, 12 CHECKPOINT, 12 COMMIT, 3 PRE-PREPARE, 9 PREPARE
> expect height=1 view=0 all
"""


def replay(text: str) -> str:
    return "\n".join(replayed(text, Interpreter().run)) + "\n"


def test_a_replay_gives_comments_commands_and_the_trace() -> None:
    assert replay(RECORDED) == RECORDED


@pytest.mark.parametrize(
    ("line", "changed"),
    [("    height 0 -> 1: r0..3\n", ""), ("12 COMMIT", "13 COMMIT"), ("> commit 1", "> commit 1..2")],
)
def test_a_trace_that_differs_is_not_the_replayed_one(line: str, changed: str) -> None:
    text = RECORDED.replace(line, changed)
    assert text != RECORDED
    assert replay(text.replace("height=1", "view=0")) != text.replace("height=1", "view=0")


@pytest.mark.parametrize(
    "line",
    [
        "expect height=2 all",
        "expect speed=2 all",
        "expect final 2",
        "expect unanswered 1",
        "deliver type COMIT",
        "deliver form r1",
        "deliver type NEW-VIEW",
        "garble 3 type NEW-VIEW",
        "timer new-view r1",
        "nonsense",
    ],
)
def test_what_does_not_hold_or_makes_no_sense_is_refused(line: str) -> None:
    with pytest.raises(Refused):
        replay(RECORDED + "> " + line)


def test_logs_that_differ_are_not_equal() -> None:
    with pytest.raises(Refused, match="differ"):
        replay(RECORDED + "> partition 0,1,2 | 3\n> commit 2 to r0\n> expect equal\n")


def test_a_scenario_is_the_same_at_every_run() -> None:
    first, second = Interpreter(), Interpreter()
    for line in ("cluster n=4", "commit 1..3 to r1", "crash r0", "submit 4 to r1", "run 5s"):
        assert first.run(line) == second.run(line)
