"""One page of HTML with the curves of several runs: no script, nothing that is fetched."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from grootboek.bench.beside import Peer, PeerPoint
from grootboek.bench.budget import Budget
from grootboek.bench.chart import Bar, Series, bars, curves
from grootboek.bench.host import Host
from grootboek.bench.report import Report

__all__ = ["page"]

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
svg { width: 100%; font-size: 12px } svg text { fill: #222 }
.grid { stroke: #ddd } .key { stroke-width: 3 }
table { border-collapse: collapse; width: 100%; font-size: 13px }
th, td { padding: .2rem .5rem; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
.warning { background: #fff3cd; padding: .5rem 1rem }
"""
HEADINGS: Final = (
    "workload",
    "replicas",
    "load",
    "runs",
    "tx/s",
    "records/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "longest outage ms",
    "CPU us/tx",
    "errors",
    "version",
)


def page(reports: Sequence[Report], peers: Sequence[Peer] = (), budget: Budget | None = None) -> bytes:
    """The page. Requires at least one report."""
    html = Element("html", {"lang": "en"})
    head, body = SubElement(html, "head"), SubElement(html, "body")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "title").text = "grootboek bench"
    SubElement(head, "style").text = STYLE
    SubElement(body, "h1").text = "grootboek bench"
    _machines(body, [report.host for report in reports])
    whole = [report for report in reports if not report.setting.kill]
    for workload in dict.fromkeys(report.setting.workload for report in whole):
        own = _latency_curves(report for report in whole if report.setting.workload == workload)
        beside = _peer_curves(peer for peer in peers if peer.workload == workload)
        _chart(
            body, f"{workload}: throughput and latency", "records a second", "ms", [*own, *beside], log=True
        )
    best = _best(whole)
    sizes = [*_sizes(best, lambda one: one.records_per_s), *_peer_sizes(peers)]
    _chart(body, "Scaling: the best run of each size", "replicas", "records a second", sizes)
    costs = _sizes(best, lambda one: one.cpu_us_per_tx)
    _chart(body, "Scaling: CPU of all replicas in that run", "replicas", "us a transaction", costs)
    if budget is not None:
        _budget(body, budget)
    SubElement(body, "h2").text = "All runs"
    _table(body, HEADINGS, map(_row, reports))
    if peers:
        SubElement(body, "h2").text = "Others, and where their figures come from"
        _table(
            body,
            ("system", "workload", "replicas", "records/s", "p50 ms", "p99 ms", "source"),
            _peer_rows(peers),
        )
    text: bytes = tostring(html, encoding="utf-8", method="html")
    return b"<!doctype html>\n" + text


def _machines(body: Element, hosts: Sequence[Host]) -> None:
    different = list(dict.fromkeys(hosts))
    for facts in different:
        text = f"{facts.cpu}, {facts.cores} cores, {facts.memory_mb} MB, Linux {facts.kernel}, "
        SubElement(body, "p").text = f"{text}Python {facts.python}, Ed25519 {facts.backend}"
    if len(different) > 1:
        warning = SubElement(body, "p", {"class": "warning"})
        warning.text = "These runs are of different machines: their figures cannot be compared."


def _chart(
    body: Element, title: str, x_label: str, y_label: str, series: Sequence[Series], *, log: bool = False
) -> None:
    """A heading and a chart, where there is anything to be seen."""
    seen = [one for one in series if one.points]
    if seen:
        SubElement(body, "h2").text = title
        body.append(curves(title, x_label, y_label, seen, log=log))


def _load_of(report: Report) -> tuple[str, float]:
    """The kind of loop, and how much load."""
    setting = report.setting
    return ("open", setting.rate) if setting.rate else ("closed", setting.window)


def _latency_curves(reports: Iterable[Report]) -> Iterator[Series]:
    """For each size and kind of loop the p50 and p99, by rising load."""
    groups: defaultdict[tuple[int, str], list[Report]] = defaultdict(list)
    for report in sorted(reports, key=lambda one: _load_of(one)[1]):
        groups[report.setting.replicas, _load_of(report)[0]].append(report)
    for (replicas, loop), group in sorted(groups.items()):
        yield from _latencies(f"n = {replicas}, {loop} loop", group)


def _peer_curves(peers: Iterable[Peer]) -> Iterator[Series]:
    for peer in peers:
        yield from _latencies(f"{peer.name}, n = {peer.replicas}", peer.points, dashed=True)


def _latencies(
    name: str, runs: Sequence[Report] | Sequence[PeerPoint], *, dashed: bool = False
) -> Iterator[Series]:
    """The p50 and p99 of some runs, where they are known and something was acknowledged."""
    for figure in ("p50", "p99"):
        found = [(one.records_per_s, getattr(one, f"{figure}_ms")) for one in runs]
        yield Series(f"{name}, {figure}", [(x, y) for x, y in found if y], dashed=dashed)


def _best(reports: Iterable[Report]) -> dict[str, dict[int, Report]]:
    """By workload and number of replicas: the run with the highest throughput."""
    best: defaultdict[str, dict[int, Report]] = defaultdict(dict)
    for one in sorted(reports, key=lambda one: one.records_per_s):
        best[one.setting.workload][one.setting.replicas] = one
    return best


def _sizes(best: dict[str, dict[int, Report]], figure: Callable[[Report], float]) -> list[Series]:
    return [
        Series(name, [(float(n), figure(sizes[n])) for n in sorted(sizes)])
        for name, sizes in sorted(best.items())
    ]


def _peer_sizes(peers: Iterable[Peer]) -> Iterator[Series]:
    """The same of others, dashed."""
    best: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for peer in peers:
        throughput = max(point.records_per_s for point in peer.points)
        sizes = best[f"{peer.name}, {peer.workload}"]
        sizes[peer.replicas] = max(throughput, sizes.get(peer.replicas, 0.0))
    for name, sizes in best.items():
        yield Series(name, [(float(n), sizes[n]) for n in sorted(sizes)], dashed=True)


def _budget(body: Element, budget: Budget) -> None:
    """Each stage of a transaction's way as a bar."""
    SubElement(body, "h2").text = "Budget: us of CPU for each transaction, over all replicas"
    rows = [Bar(stage.stage, (stage.total_us_per_tx,)) for stage in budget.stages]
    rows.append(Bar("sum", (budget.sum_us_per_tx,)))
    if budget.cluster_us_per_tx is not None:
        rows.append(Bar("bench cluster", (budget.cluster_us_per_tx,)))
    body.append(bars("budget", ("measured",), rows))


def _row(report: Report) -> tuple[str, ...]:
    setting = report.setting
    load = f"{setting.rate:g}/s" if setting.rate else f"window {setting.window:,}"
    if report.killed:
        load += f", {setting.kill} killed"
    return (
        setting.workload,
        str(setting.replicas),
        load,
        str(report.runs),
        f"{report.tput:,.0f}",
        f"{report.records_per_s:,.0f}",
        f"{report.p50_ms:,.1f}",
        f"{report.p99_ms:,.1f}",
        f"{report.p999_ms:,.1f}",
        f"{report.outage_ms:,.0f}",
        f"{report.cpu_us_per_tx:,.0f}",
        f"{sum(report.errors.values()):,}",
        report.version,
    )


def _peer_rows(peers: Iterable[Peer]) -> Iterator[tuple[str, ...]]:
    for peer in peers:
        for point in peer.points:
            latencies = ("" if ms is None else f"{ms:,.1f}" for ms in (point.p50_ms, point.p99_ms))
            yield (
                peer.name,
                peer.workload,
                str(peer.replicas),
                f"{point.records_per_s:,.0f}",
                *latencies,
                peer.source,
            )


def _table(body: Element, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = SubElement(body, "table")
    for kind, cells in (("th", headings), *(("td", row) for row in rows)):
        line = SubElement(table, "tr")
        for cell in cells:
            SubElement(line, kind).text = cell
