"""The kinds of faults that a run may meet. Each begins at once, and most end by themselves.

Numbers are those of docs/simulation.md. A fault says what it did, or None where it could do nothing
just then. Byzantine strategies are in ``byzantine``.
"""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from grootboek.simulation.hunting import ambush, favour, front, hunt, overtake
from grootboek.simulation.lasting import (
    SECOND,
    Fault,
    alone,
    apart,
    cut,
    down,
    lasting,
    later,
    power_off,
    start_again,
)
from grootboek.simulation.membership import add, exchange, remove, rotate
from grootboek.simulation.memory import Shortage
from grootboek.simulation.misreads import Misread
from grootboek.simulation.network import Weather

if TYPE_CHECKING:
    from grootboek.simulation.replica import SimulatedReplica
    from grootboek.simulation.run import Simulation

__all__ = ["FAULTS", "Fault"]

_OfOne = Callable[["Simulation", random.Random, "SimulatedReplica"], str]


def _weather(run: "Simulation", rng: random.Random, worse: Weather, what: str) -> str:
    """Worse weather for a while, from the weather of the run."""
    run.network.weather = worse

    def better() -> None:
        run.network.weather = run.weather

    return f"{what} {lasting(run, rng, better)}"


def _two(run: "Simulation", rng: random.Random) -> tuple[int, int]:
    first, second = rng.sample(range(len(run.replicas)), 2)
    return first, second


def _to_a_living_one(fault: _OfOne) -> Fault:
    """The fault, done to any replica that runs."""
    return lambda run, rng: _done(fault, run, rng, run.living(rng))


def _to_one_that_may_be_lost(fault: _OfOne) -> Fault:
    """The fault, done to a replica that counts in f from then on."""
    return lambda run, rng: _done(fault, run, rng, run.may_fail(rng))


def _done(
    fault: _OfOne, run: "Simulation", rng: random.Random, victim: "SimulatedReplica | None"
) -> str | None:
    return None if victim is None else fault(run, rng, victim)


# --- network -------------------------------------------------------------------------------------


def lose(run: "Simulation", rng: random.Random) -> str:
    """1: up to 30 % of all frames are lost."""
    loss = rng.randrange(50, 301)
    return _weather(run, rng, replace(run.weather, loss=loss), f"loss of {loss / 10:.0f} %")


def duplicate(run: "Simulation", rng: random.Random) -> str:
    """2: many frames arrive twice."""
    return _weather(run, rng, replace(run.weather, duplicate=500), "duplicates")


def reorder(run: "Simulation", rng: random.Random) -> str:
    """3: many frames are overtaken by those after them."""
    return _weather(run, rng, replace(run.weather, late=200), "reordering")


def jitter(run: "Simulation", rng: random.Random) -> str:
    """4: delays of up to a fifth of a second."""
    return _weather(run, rng, replace(run.weather, delay_max=200_000), "jitter")


def one_way(run: "Simulation", rng: random.Random) -> str:
    """5: one path is cut, the way back is not."""
    a, b = _two(run, rng)
    return f"{a} does not reach {b} {cut(run, rng, [(a, b)])}"


def partition(run: "Simulation", rng: random.Random) -> str:
    """6: two groups that do not hear each other."""
    order = rng.sample(range(len(run.replicas)), len(run.replicas))
    size = rng.randrange(1, len(order))
    return f"partition {apart(run, rng, order[:size], order[size:])}"


def asymmetric(run: "Simulation", rng: random.Random) -> str:
    """7: one group hears the other, which hears nothing."""
    order = rng.sample(range(len(run.replicas)), len(run.replicas))
    size = rng.randrange(1, len(order))
    pairs = [(a, b) for a in order[:size] for b in order[size:]]
    return f"{order[:size]} are not heard {cut(run, rng, pairs)}"


def isolate_primary(run: "Simulation", rng: random.Random) -> str:
    """8: the primary of the newest view is cut off."""
    return f"primary alone {alone(run, rng, front(run).primary())}"


def isolate_one(run: "Simulation", rng: random.Random) -> str:
    """9: any replica is cut off."""
    return f"one alone {alone(run, rng, rng.randrange(len(run.replicas)))}"


def clog(run: "Simulation", rng: random.Random) -> str:
    """10: one path takes up to a second longer."""
    a, b = _two(run, rng)
    path, extra = run.network.path(a, b), rng.randrange(SECOND)
    path.extra_us += extra

    def free() -> None:
        path.extra_us -= extra

    return f"{a} to {b} takes {extra / 1_000:.0f} ms longer {lasting(run, rng, free)}"


def narrow(run: "Simulation", rng: random.Random) -> str:
    """11: one path carries little."""
    a, b = _two(run, rng)
    path = run.network.path(a, b)
    path.bytes_per_second = rng.randrange(2_000, 50_000)

    def widen() -> None:
        path.bytes_per_second = 0

    return f"{a} to {b} carries {path.bytes_per_second} B/s {lasting(run, rng, widen)}"


def garble(run: "Simulation", rng: random.Random) -> str:
    """12: bytes are changed on the way."""
    return _weather(run, rng, replace(run.weather, garbled=100), "changed bytes")


def half_open(run: "Simulation", rng: random.Random) -> str:
    """13: one end sees that a connection is gone, the other does not."""
    a, b = _two(run, rng)
    run.replicas[a].lost(b)
    return f"{a} lost {b}, which does not know {cut(run, rng, [(a, b), (b, a)])}"


def reconnect(run: "Simulation", rng: random.Random) -> str:
    """14: all connections break and come back, several times."""
    times = rng.randrange(2, 6)
    for i in range(times):
        run.heap.after(i * SECOND // 10, run.reconnect)
    return f"all connections break {times} times"


# --- process -------------------------------------------------------------------------------------


@_to_a_living_one
def kill(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """15: SIGKILL."""
    return f"kill {victim.me} {down(run, rng, victim)}"


@_to_a_living_one
def kill_in_recovery(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """16: killed, and once more while it recovers."""
    words = down(run, rng, victim)
    victim.disk.fail_after = rng.randrange(6)
    return f"kill {victim.me} {words}, again after {victim.disk.fail_after} operations of its start"


@_to_a_living_one
def pause(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """17: SIGSTOP."""
    victim.pause()
    return f"pause {victim.me} {lasting(run, rng, victim.resume)}"


def restart_all(run: "Simulation", rng: random.Random) -> str:
    """18: SIGKILL of all."""
    for replica in run.replicas:
        if replica.alive:
            down(run, rng, replica)
    return "kill all"


def crash_many(run: "Simulation", rng: random.Random) -> str:
    """19: f + 1 lose power at once."""
    chosen = rng.sample(run.replicas, run.genesis.quorum.weak)
    for replica in chosen:
        power_off(run, rng, replica)
    return f"power cut of {[replica.me for replica in chosen]}"


@_to_a_living_one
def slow(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """20: a processor that is too slow."""
    victim.slow_us = rng.randrange(10_000, 300_000)

    def fast() -> None:
        victim.slow_us = 0

    return f"{victim.me} is slow {lasting(run, rng, fast)}"


@_to_a_living_one
def starve(_run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """21: memory runs out somewhere in a turn."""
    victim.shortage = Shortage(rng.randrange(3_000))
    return f"{victim.me} has memory for {victim.shortage.left} calls"


@_to_a_living_one
def skew(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """22: it starts as a later version, which the others do not understand, and goes back again."""
    run.network.later.add(victim.me)

    def go_back() -> None:
        run.network.later.discard(victim.me)
        victim.kill()
        run.boot(victim)

    victim.kill()
    run.boot(victim)
    return f"{victim.me} speaks a later version {lasting(run, rng, go_back)}"


def blackout(run: "Simulation", rng: random.Random) -> str:
    """28: all lose power at once, and with it what was not synced."""
    for replica in run.replicas:
        power_off(run, rng, replica)
    return "power cut of all"


# --- clock ---------------------------------------------------------------------------------------


def ahead(run: "Simulation", rng: random.Random) -> str:
    """23: a clock jumps forward."""
    return _wrong_clock(run, rng, rng.randrange(1_000, 20_000))


def back(run: "Simulation", rng: random.Random) -> str:
    """24: a clock jumps back."""
    return _wrong_clock(run, rng, -rng.randrange(1_000, 20_000))


def _wrong_clock(run: "Simulation", rng: random.Random, ms: int) -> str:
    victim = rng.choice(run.replicas)
    victim.clock.jump(ms)
    return f"the clock of {victim.me} jumps {ms} ms {lasting(run, rng, victim.clock.right)}"


def drift(run: "Simulation", rng: random.Random) -> str:
    """25: a clock runs at another speed."""
    victim, ppm = rng.choice(run.replicas), rng.randrange(-500_000, 500_001)
    victim.clock.drift(ppm)
    return f"the clock of {victim.me} gains {ppm} us a second {lasting(run, rng, victim.clock.right)}"


def freeze(run: "Simulation", rng: random.Random) -> str:
    """26: a clock stands still."""
    victim = rng.choice(run.replicas)
    victim.clock.stop()
    return f"the clock of {victim.me} stands still {lasting(run, rng, victim.clock.right)}"


# --- disk ----------------------------------------------------------------------------------------


@_to_a_living_one
def torn(_run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """27: loss of power at some write, which is torn."""
    victim.disk.fail_after = rng.randrange(20)
    victim.cut_power_at_failure = True
    return f"power cut of {victim.me} at its disk's operation {victim.disk.fail_after}"


@_to_a_living_one
def lose_power(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """28: one loses power, and with it what was not synced."""
    power_off(run, rng, victim)
    return f"power cut of {victim.me}"


@_to_a_living_one
def fail_syncs(_run: "Simulation", _rng: random.Random, victim: "SimulatedReplica") -> str:
    """29: a sync reports an error."""
    victim.disk.fail_syncs = True
    return f"the syncs of {victim.me} fail"


@_to_one_that_may_be_lost
def flip(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """30: a bit changes at rest; the replica is down meanwhile, and may stay so."""
    victim.kill()
    name, data = rng.choice([item for item in victim.disk.files().items() if item[1]] or [("", b"")])
    if data:
        victim.disk.flip(name, rng.randrange(len(data)), rng.randrange(8))
        victim.flipped = True
    return f"a bit of {victim.me}'s {name} changes; it is down {start_again(run, rng, victim)}"


@_to_one_that_may_be_lost
def misread(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """31: a read gives what is elsewhere on the disk, or was there before; the replica may stay down."""
    right = rng.randrange(12)
    wrong = Misread(victim.disk, right, rng)
    victim.flipped = True

    def restart() -> None:
        victim.kill()
        victim.disk.misread = wrong
        start_again(run, rng, victim)

    kind = "stale" if wrong.stale else "from elsewhere"
    return f"{victim.me} starts again {later(run, rng, restart)}, and its read {right} is {kind}"


@_to_a_living_one
def fill(_run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """32: the disk is full."""
    victim.disk.space = rng.randrange(2_000)
    return f"the disk of {victim.me} has {victim.disk.space} bytes left"


@_to_one_that_may_be_lost
def old_disk(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """33: an old image of the disk is restored, and the signer's guard is none the worse."""
    return _go_back(run, rng, victim, guard=False)


@_to_one_that_may_be_lost
def old_guard(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """33: the guard goes back together with the disk. Nothing is promised for such a replica."""
    run.monitor.faulty.add(victim.me)
    return _go_back(run, rng, victim, guard=True)


def _go_back(run: "Simulation", rng: random.Random, victim: "SimulatedReplica", *, guard: bool) -> str:
    image = victim.disk.copy()
    victim.forgetful = True

    def restore() -> None:
        victim.restore(image, guard=guard)
        run.boot(victim)

    return f"{victim.me} goes back to its disk of now {lasting(run, rng, restore)}"


@_to_one_that_may_be_lost
def twin(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """33, while it runs: a second process with the same keys, from an image of the disk. It counts in f."""
    run.monitor.faulty.add(victim.me)
    image = victim.disk.copy()
    return f"{victim.me} gets a twin with its disk of now {later(run, rng, lambda: run.twin(victim, image))}"


@_to_one_that_may_be_lost
def lose_disk(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """34: a disk is lost, guard and all. With an empty one the replica learns, and comes back."""
    victim.lose_disk()
    run.monitor.wiped.add(victim.me)
    return f"the disk of {victim.me} is lost; it is down {start_again(run, rng, victim)}"


# --- load ----------------------------------------------------------------------------------------


def burst(run: "Simulation", rng: random.Random) -> str:
    """35: many transactions at once."""
    count = rng.randrange(20, 200)
    run.clients.burst(count)
    return f"a burst of {count} transactions"


def garbage(run: "Simulation", rng: random.Random) -> str:
    """36: requests that are half good."""
    target = rng.choice(run.replicas)
    run.clients.garbage(target)
    return f"a half good request to {target.me}"


FAULTS: dict[str, Fault] = {
    "1 loss": lose,
    "2 duplicates": duplicate,
    "3 reordering": reorder,
    "4 jitter": jitter,
    "5 one-way loss": one_way,
    "6 partition": partition,
    "7 asymmetric partition": asymmetric,
    "7 one hears all": favour,
    "8 primary isolated": isolate_primary,
    "8 views cut off in turn": hunt,
    "9 one isolated": isolate_one,
    "9 next primary overtaken": overtake,
    "10 clogged path": clog,
    "11 bandwidth cap": narrow,
    "12 changed bytes": garble,
    "13 half-open connection": half_open,
    "14 reconnect storm": reconnect,
    "15 kill": kill,
    "16 kill in recovery": kill_in_recovery,
    "17 pause": pause,
    "18 restart of all": restart_all,
    "19 crash of f + 1": crash_many,
    "20 slow processor": slow,
    "21 failing allocation": starve,
    "22 version skew": skew,
    "23 clock ahead": ahead,
    "24 clock back": back,
    "25 clock drift": drift,
    "26 clock stopped": freeze,
    "27 torn write": torn,
    "28 power cut": lose_power,
    "28 power cut of all": blackout,
    "29 failing sync": fail_syncs,
    "30 bit flip": flip,
    "31 misread": misread,
    "32 full disk": fill,
    "33 old disk": old_disk,
    "33 old disk and guard": old_guard,
    "33 twin with the same key": twin,
    "34 disk lost": lose_disk,
    "35 burst": burst,
    "36 half good request": garbage,
    "37 replicas added": add,
    "37 replicas removed": remove,
    "37 replicas exchanged": exchange,
    "37 keys rotated": rotate,
    "38 hand-over struck": ambush,
}
"""By number and name."""
