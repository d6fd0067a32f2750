"""The page of curves: what it draws, what it leaves out, and that it fetches nothing."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from grootboek.bench.beside import Peer, PeerPoint
from grootboek.bench.budget import Budget, Stage
from grootboek.bench.chart import Bar, Series, bars, curves
from grootboek.bench.page import page
from grootboek.bench.report import Report
from grootboek.cli.app import run
from grootboek.cli.exits import Exit
from grootboek.cli.output import to_json
from tests.bench.reports import HERE, REPORT, SETTING

PEER = Peer(
    name="other <system>",
    source="invented for this test",
    workload="anchor",
    replicas=4,
    points=(
        PeerPoint(records_per_s=50.0, p50_ms=9.0),
        PeerPoint(records_per_s=70.0, p50_ms=11.0, p99_ms=20.0),
    ),
)
BUDGET = Budget(
    replicas=4,
    batch=4_000,
    request=250,
    transactions_per_block=1_000.0,
    stages=[Stage("signatures", 9.0, 4.0, 36.0), Stage("votes", 0.25, 8.0, 2.0)],
    sum_us_per_tx=38.0,
    cluster_us_per_tx=50.0,
    not_accounted_us_per_tx=12.0,
    backend=HERE.backend,
    host=HERE,
)


COSTS = "Scaling: CPU of all replicas in that run"
BARS = "Budget: us of CPU for each transaction, over all replicas"


def report(speed: float = 100.0, p50: float = 5.0, **setting: object) -> Report:
    return msgspec.structs.replace(
        REPORT,
        tput=speed,
        records_per_s=speed,
        p50_ms=p50,
        p99_ms=2 * p50,
        setting=msgspec.structs.replace(SETTING, **setting),
    )


RUNS = [
    report(100.0, window=64),
    report(300.0, 9.0, window=4_000),
    report(200.0, 7.0, window=500),
    report(50.0, 2.0, window=0, rate=50.0),
    report(250.0, replicas=7),
    report(80.0, workload="tax"),
]


def charts(runs: list[Report], *more: object) -> dict[str, html.HtmlElement]:
    """The page's charts by the headings above them."""
    body = html.fromstring(page(runs, *more))  # type: ignore[arg-type]  # passed on
    return {str(chart.xpath("string(preceding-sibling::*[1])")): chart for chart in body.iter("svg")}


def legend(chart: html.HtmlElement) -> list[str]:
    return [dot.text.partition(":")[0] for dot in chart.iter("title")][1:]


def test_each_curve_is_there() -> None:
    found = charts(RUNS, [PEER], BUDGET)
    assert list(found) == [
        "anchor: throughput and latency",
        "tax: throughput and latency",
        "Scaling: the best run of each size",
        COSTS,
        BARS,
    ]
    anchor = found["anchor: throughput and latency"]
    names = list(dict.fromkeys(legend(anchor)))
    assert names == [
        "n = 4, closed loop, p50",
        "n = 4, closed loop, p99",
        "n = 4, open loop, p50",
        "n = 4, open loop, p99",
        "n = 7, closed loop, p50",
        "n = 7, closed loop, p99",
        "other <system>, n = 4, p50",
        "other <system>, n = 4, p99",
    ]
    assert [dot.text for dot in anchor.iter("title")][1:4] == [
        f"{names[0]}: {x}, {y}" for x, y in [(100, 5), (200, 7), (300, 9)]
    ]
    sizes = [dot.text for dot in found["Scaling: the best run of each size"].iter("title")][1:]
    assert sizes == ["anchor: 4, 300", "anchor: 7, 250", "tax: 4, 80", "other <system>, anchor: 4, 70"]
    costs = [dot.text for dot in found[COSTS].iter("title")][1:]
    assert costs == ["anchor: 4, 1", "anchor: 7, 1", "tax: 4, 1"]
    assert len(list(found[BARS].iter("rect"))) == 4


def test_a_run_with_a_kill_is_in_the_table_only() -> None:
    killed = msgspec.structs.replace(report(kill="primary", at=1.0), killed="replica-0")
    assert charts([killed]) == {}
    assert "primary killed" in page([killed]).decode()


def test_a_run_without_an_answer_has_no_latency() -> None:
    assert list(charts([report(0.0, 0.0)])) == ["Scaling: the best run of each size", COSTS]


def test_runs_of_different_machines_are_marked() -> None:
    other = msgspec.structs.replace(report(), host=msgspec.structs.replace(HERE, cores=64))
    assert "cannot be compared" in page([report(), other]).decode()
    assert "cannot be compared" not in page([report(), report()]).decode()


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    text = page(RUNS, [PEER], BUDGET).decode()
    assert not re.search(r"<script|<link|<img|src=|href=|@import|url\(", text)
    assert text.count("http") == text.count('xmlns="http://www.w3.org/2000/svg"')
    assert "other <system>" not in text


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(1e-3, 1e6)), min_size=1, max_size=9), st.booleans())
def test_every_point_lies_inside_the_axes(points: list[tuple[float, float]], log: bool) -> None:
    svg = curves("t", "x", "y", [Series("s", points)], log=log)
    for dot in svg.iter("circle"):
        assert 69.9 <= float(dot.attrib["cx"]) <= 510.1
        assert 39.9 <= float(dot.attrib["cy"]) <= 350.1


def test_bars_are_as_long_as_their_amounts() -> None:
    svg = bars("t", ("a", "b"), [Bar("x", (10.0, 5.0)), Bar("y", (2.5, None))])
    long, half, quarter = [float(shape.attrib["width"]) for shape in svg.iter("rect")]
    assert (half, quarter) == pytest.approx((long / 2, long / 4), abs=0.1)


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, one in enumerate(RUNS):
        (tmp_path / f"{number}.json").write_text(to_json(one))
    peers, budget = tmp_path / "peers.json", tmp_path / "budget.json"
    peers.write_bytes(msgspec.json.encode([PEER]))
    budget.write_bytes(msgspec.json.encode(BUDGET))
    files = [str(tmp_path / f"{number}.json") for number in range(len(RUNS))]
    output = tmp_path / "page.html"
    words = ["--output", str(output), "--peers", str(peers), "--budget", str(budget), "--json"]
    assert run(["bench", "report", *files, *words]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["runs"] == len(RUNS)
    assert output.read_bytes() == page(RUNS, [PEER], BUDGET)


@pytest.mark.parametrize("text", ["{}", "[{}]", '[{"name": "x", "figure": 1}]', "not json"])
def test_peers_of_another_form_are_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_, peers = tmp_path / "run.json", tmp_path / "peers.json"
    run_.write_text(to_json(REPORT))
    peers.write_text(text)
    words = [
        "bench",
        "report",
        str(run_),
        "--output",
        str(tmp_path / "p.html"),
        "--peers",
        str(peers),
        "--json",
    ]
    assert run(words) == Exit.USAGE
    assert str(peers) in json.loads(capsys.readouterr().out)["error"]["where"]
