"""Runs of the simulator, recorded and written down for TLC."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from grootboek.ledger import Registry
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.simulation import Plan, Simulation
from grootboek.simulation.campaign import anchor
from grootboek.simulation.tracing import Step, Wish, recording
from tests.spec.tlc import check, copy_spec

CONFIG = """\
SPECIFICATION Replay
VIEW Place
CONSTANTS
    N = {n}
    Liars = {{}}
    Offers <- Anything
    Null = Null
    None = None
    MaxSeq = {seqs}
    MaxView = {views}
    Window = {window}
"""
VERDICT = re.compile(r'<<"(accepted|refused)", (\d+)(?:, (\d+))?>>')


class Trace(Struct, frozen=True):
    """One run: who lied, and what the others did."""

    liars: frozenset[int]
    steps: tuple[Step, ...]


def trace_of(seed: int, plan: Plan) -> Trace:
    with recording() as recorder:
        simulation = Simulation(seed, plan, Registry.of(Parties, Records), anchor)
        simulation.run()
    liars = frozenset(simulation.monitor.faulty)
    return Trace(liars, tuple(recorder.steps(liars)))


def follow(folder: Path, traces: Sequence[Trace], window: int, n: int = 4) -> list[int | None]:
    """For each trace None if the model can take all its steps, else the index of the first it cannot."""
    steps = [step for trace in traces for step in trace.steps]
    copy_spec(folder)
    runs = ",\n".join(_run(trace) for trace in traces)
    text = f"---- MODULE Recorded ----\nEXTENDS Pbft\nRuns == <<\n{runs}\n>>\n====\n"
    (folder / "Recorded.tla").write_text(text, encoding="utf-8")
    views, seqs = max(step.view for step in steps), max(_highest(step) for step in steps)
    config = CONFIG.format(n=n, seqs=seqs, views=views, window=window)
    (folder / "Follow.cfg").write_text(config, encoding="utf-8")
    verdict = check(folder, "Follow", "Follow.cfg")
    found = {int(run): int(at) - 1 if at else None for _, run, at in VERDICT.findall(verdict.text)}
    assert sorted(found) == list(range(1, len(traces) + 1)), verdict.text[-2_000:]
    return [found[run] for run in sorted(found)]


def _highest(step: Step) -> int:
    claimed = [c.seq for wish in step.wishes for c in wish.prepared]
    return max([step.seq, step.base + len(step.order), *claimed])


def _run(trace: Trace) -> str:
    steps = ",\n".join(_step(step) for step in trace.steps)
    return f"[liars |-> {_set(map(str, sorted(trace.liars)))}, steps |-> <<\n{steps}\n>>]"


def _step(step: Step) -> str:
    fields = [f'"{step.kind}"', str(step.replica), *_particulars(step)]
    return f"<<{', '.join(fields)}>>"


def _particulars(step: Step) -> list[str]:
    view, seq, value = str(step.view), str(step.seq), _value(step.value)
    match step.kind:
        case "propose" | "prepare" | "commit":
            return [view, seq, value]
        case "execute":
            return [seq, value]
        case "leave":
            return [view, _set(map(_wish, step.wishes))]
        case "open" | "enter":
            order = ", ".join(map(_value, step.order))
            return [view, _set(map(_wish, step.wishes)), str(step.base), f"<<{order}>>"]
    return [seq]


def _wish(wish: Wish) -> str:
    prepared = _set(
        f"[seq |-> {c.seq}, view |-> {c.view}, value |-> {_value(c.value)}]" for c in wish.prepared
    )
    return f"[from |-> {wish.sender}, view |-> {wish.view}, low |-> {wish.low}, prepared |-> {prepared}]"


def _value(digest: bytes) -> str:
    return f'"{digest[:8].hex()}"' if digest else "Null"


def _set(items: Iterable[str]) -> str:
    return "{" + ", ".join(items) + "}"
