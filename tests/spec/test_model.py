"""The model is safe in small networks, and TLC refutes it where a rule of the protocol is missing."""

from pathlib import Path

import pytest

from tests.spec.tlc import check, copy_spec, needs_java

pytestmark = [needs_java, pytest.mark.timeout(3_600)]

QUICK = {"equivocation": 9_168, "newview": 3_550}
"""Distinct states of each configuration."""

LONG = ("checkpoints",)

JOURNALLED = """\
    /\\ Persist(i, [mem[i] EXCEPT !.vote[s] = d])
    /\\ Say(s, Signed("prepare", """

ENTERED = "    /\\ Persist(i, In(mem[i], Opening(v, V)))\n"

ANYTHING = """\
    /\\ \\E d \\in Values \\cup {Null} : Persist(i, In(mem[i], [Opening(v, V) EXCEPT !.order[1] = d]))
"""

MISTAKES = {
    "a quorum is one less": ("newview", {"Faults + 2) \\div 2": "Faults) \\div 2"}),
    "O is not recomputed": ("newview", {ENTERED: ANYTHING}),
    "prepared certificates are dropped": ("newview", {"s > low[i] /\\ mem[i].cert[s].view >= 0": "FALSE"}),
    "a vote is not journalled": (
        "equivocation",
        {
            JOURNALLED: JOURNALLED.replace(
                "Persist(i, [", "UNCHANGED disk /\\ mem' = [mem EXCEPT ![i] = ["
            ).replace("= d])", "= d]]")
        },
    ),
    "a lying primary's word is enough": (
        "equivocation",
        {'Cardinality(Signers("prepare", v, s, d) \\ {Primary(v)}) >= Quorum - 1': "TRUE"},
    ),
}

LONG_MISTAKES = {
    "what lies below the view's checkpoint is open": ("checkpoints", {"    /\\ s > m.base\n": ""}),
}


def refuted(folder: Path, config: str, changes: dict[str, str]) -> str | None:
    return check(copy_spec(folder, changes), "Small", f"{config}.cfg").broken


@pytest.mark.parametrize("config", QUICK)
def test_a_small_network_is_safe(config: str, tmp_path: Path) -> None:
    verdict = check(copy_spec(tmp_path), "Small", f"{config}.cfg")
    assert verdict.broken is None
    print(f"{config}: {verdict.states} distinct states")  # noqa: T201  # the figure of docs/model.md
    assert verdict.states == QUICK[config]


@pytest.mark.long
@pytest.mark.parametrize("config", LONG)
def test_a_larger_network_is_safe(config: str, tmp_path: Path) -> None:
    verdict = check(copy_spec(tmp_path), "Small", f"{config}.cfg", workers=2)
    assert verdict.broken is None
    print(f"{config}: {verdict.states} distinct states")  # noqa: T201  # the figure of docs/model.md
    assert verdict.states > 100_000


@pytest.mark.parametrize("name", MISTAKES)
def test_tlc_refutes(name: str, tmp_path: Path) -> None:
    assert refuted(tmp_path, *MISTAKES[name]) is not None


@pytest.mark.long
@pytest.mark.parametrize("name", LONG_MISTAKES)
def test_tlc_refutes_at_length(name: str, tmp_path: Path) -> None:
    assert refuted(tmp_path, *LONG_MISTAKES[name]) is not None
