"""How fast a replica follows that was away while the others ordered, and still do."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from grootboek import __version__
from grootboek.bench.cluster import founded, plan_of
from grootboek.bench.host import Host, host
from grootboek.bench.moment import metrics
from grootboek.bench.process import LoadProcess
from grootboek.bench.setting import Setting
from grootboek.errors import BenchFailed, Unavailable
from grootboek.node.keystore import BESIDE
from grootboek.node.localnet import Localnet

__all__ = ["CatchUpReport", "catch_up", "wipe"]

POLL_SECONDS: Final = 0.1
ENTRIES: Final = "grootboek_log_entries"
CERTIFIED: Final = "grootboek_certified_entries"
TRANSACTIONS: Final = "grootboek_transactions_total"
TRANSFERS: Final = "grootboek_transfers_total"
LEAPS: Final = "grootboek_leaps_total"


class CatchUpReport(Struct, frozen=True, kw_only=True):
    """One replica's way back. Speeds are log entries a second: an anchor is two of them."""

    version: str
    """Of grootboek."""
    setting: Setting
    host: Host
    wiped: bool
    """Whether it came back with its keys alone."""
    away_s: float
    start_s: float
    """From the start of its process to its first answer."""
    behind_entries: int
    """What it lacked at its first answer."""
    caught_up: bool
    """Whether it came as far as the others were at the last look at them."""
    follow_s: float
    """From its first answer until then, or until there was no more time."""
    follow_entries_per_s: float
    order_entries_per_s: float
    """What the others ordered meanwhile, on the same machine."""
    order_entries_per_s_alone: float
    """What they ordered while it was away."""
    transactions_per_entry: float
    """To turn speeds into transactions a second."""
    transfers: int
    """Times that it fetched log entries."""
    leaps: int
    """Times that it took over a snapshot."""


class _Look(Struct, frozen=True):
    """Where somebody was at a moment."""

    time: float
    entries: float


def catch_up(
    setting: Setting, away: float, say: Callable[[str], None], *, wiped: bool = False
) -> CatchUpReport:
    """Take a backup away for ``away`` seconds of the setting's load, then start it and watch.

    The load goes on for ``setting.seconds`` in all. ``wiped``: it loses all but its keys and settings.
    Raises BenchFailed where the load ends before that.
    """
    with founded(setting, say) as network, LoadProcess(plan_of(setting, network)) as client:
        say(f"setting up {setting.workload}, and signing {setting.prepared:,} transactions")
        client.expect("ready")
        before = metrics(network.genesis.replicas[0])[TRANSACTIONS]
        client.tell("go")
        client.expect("measure")
        until = time.perf_counter() + setting.seconds
        report = _watch(setting, network, away, until, say, wiped=wiped)
        ordered = metrics(network.genesis.replicas[0])[TRANSACTIONS] - before
        if ordered >= setting.prepared:
            raise BenchFailed("ran out of signed transactions: give a higher --ceiling")
        for k in range(setting.replicas):
            network.kill(
                k
            )  # the load is not over: a replica that drains would wait for what the others leave
    return report


def wipe(folder: Path) -> None:
    """Remove all from a stopped replica's directory but what a lost disk is replaced with."""
    kept = {"keys", BESIDE, "config.toml", f"{folder.name}.json", "log.txt"}
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in kept:
            path.unlink()


def _watch(
    setting: Setting,
    network: Localnet,
    away: float,
    until: float,
    say: Callable[[str], None],
    *,
    wiped: bool,
) -> CatchUpReport:
    absent = setting.replicas - 1
    say(f"taking {network.genesis.replicas[absent].name} away for {away:g} s")
    network.stop([absent])
    if wiped:
        wipe(network.replica_folder(absent))
    alone = [_look(network, 0, CERTIFIED)]
    time.sleep(away)
    alone.append(_look(network, 0, CERTIFIED))
    say("starting it")
    launched = time.perf_counter()
    network.launch([absent])
    first = _first_look(network, absent, until)
    ahead = [_look(network, 0, CERTIFIED)]
    followed = [first]
    while followed[-1].entries < ahead[-1].entries and time.perf_counter() < until:
        time.sleep(POLL_SECONDS)
        followed.append(_look(network, absent, ENTRIES))
        if followed[-1].entries < ahead[-1].entries:
            ahead.append(_look(network, 0, CERTIFIED))
    counters, others = (metrics(network.genesis.replicas[k]) for k in (absent, 0))
    return CatchUpReport(
        version=__version__,
        setting=setting,
        host=host(),
        wiped=wiped,
        away_s=away,
        start_s=first.time - launched,
        behind_entries=int(ahead[0].entries - first.entries),
        caught_up=followed[-1].entries >= ahead[-1].entries,
        follow_s=followed[-1].time - first.time,
        follow_entries_per_s=_speed(followed),
        order_entries_per_s=_speed(ahead),
        order_entries_per_s_alone=_speed(alone),
        transactions_per_entry=others[TRANSACTIONS] / max(1, others[ENTRIES]),
        transfers=int(counters[TRANSFERS]),
        leaps=int(counters[LEAPS]),
    )


def _look(network: Localnet, k: int, what: str) -> _Look:
    found = metrics(network.genesis.replicas[k])[what]
    return _Look(time.perf_counter(), found)


def _first_look(network: Localnet, k: int, until: float) -> _Look:
    """The first answer of a replica that was started; raises BenchFailed where none comes in time."""
    while time.perf_counter() < until:
        network.require_running(k)
        try:
            return _look(network, k, ENTRIES)
        except Unavailable:
            time.sleep(POLL_SECONDS)
    raise BenchFailed("the replica did not answer before the load ended: give more --seconds")


def _speed(looks: list[_Look]) -> float:
    passed = looks[-1].time - looks[0].time
    return (looks[-1].entries - looks[0].entries) / passed if passed else 0.0
