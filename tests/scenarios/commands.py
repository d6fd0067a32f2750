"""The commands of a scenario, and the trace that each of them leaves."""

from collections.abc import Callable, Iterable, Iterator

from grootboek.client.verifier import Verifier
from grootboek.consensus import Replica, Timer
from grootboek.node.journal import Journal
from grootboek.node.journalled import Held
from grootboek.simulation.disk import Fate, SimulatedDisk
from grootboek.types import Limits
from grootboek.wire import decode, encode, frames
from tests.scenarios.traced import TracedReplica
from tests.scenarios.words import KINDS, numbers
from tests.scenarios.world import MS, Filter, Packet, World

UNITS = {"ms": MS, "s": 1_000 * MS, "min": 60_000 * MS, "h": 3_600_000 * MS}
FLAG = "quietly"
"""A command with this word sums up what is common and tells only what is rare."""
SUMMED = {"commit", "heal", "run", "start"}
"""Commands that always do."""


class Refused(Exception):
    """A command that is not understood, or an expectation that does not hold."""


def whole(text: str) -> list[int]:
    """``1,3..5``."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("..")
        found += range(int(first), int(last or first) + 1)
    return found


def duration(text: str) -> int:
    """``500ms``, ``2s``, ``10min``, ``24h``: in microseconds."""
    digits = text.rstrip("minhs")
    return int(digits) * UNITS[text.removeprefix(digits)]


class Interpreter:
    """Runs one command after the other on one world."""

    def __init__(self) -> None:
        self.world = World()
        self.receipts: dict[int, bytes] = {}
        self.backups: dict[int, SimulatedDisk] = {}

    def run(self, line: str) -> list[str]:
        """The trace of a command. Raises Refused."""
        words = line.split()
        quiet = FLAG in words or words[0] in SUMMED
        words = [word for word in words if word != FLAG]
        command: Callable[[list[str]], Iterable[str] | None] | None
        command = getattr(self, "do_" + words[0].replace("-", "_"), None)
        if command is None:
            raise Refused(f"no such command: {words[0]}")
        world = self.world
        told, sent = len(world.told), world.sent.copy()
        heights = self._heights()
        lines = list(command(words[1:]) or ())
        if self.world is not world:
            return lines
        if not quiet:
            return [*lines, *(f"r{me} {words}" for _, me, words, _ in world.told[told:])]
        return [*lines, *self._rare(told), *self._summary(heights, sent)]

    def _heights(self) -> dict[int, int]:
        return {r.me: r.engine.ledger.height for r in self.world.replicas if r.boots}

    def _rare(self, start: int) -> Iterator[str]:
        for at, me, words, rare in self.world.told[start:]:
            if rare:
                yield f"{at / 1e6:.3f}s r{me} {words}"

    def _summary(self, before: dict[int, int], sent: dict[str, int]) -> Iterator[str]:
        grown: dict[tuple[int, int], list[int]] = {}
        for me, height in self._heights().items():
            grown.setdefault((before.get(me, 0), height), []).append(me)
        for (old, new), who in grown.items():
            if old != new:
                yield f"height {old} -> {new}: r{numbers(who)}"
        more = self.world.sent - type(self.world.sent)(sent)
        if more:
            yield "sent: " + ", ".join(f"{count} {kind}" for kind, count in sorted(more.items()))

    # --- life ------------------------------------------------------------------------------------

    def do_cluster(self, words: list[str]) -> list[str]:
        """``cluster n=4 spares=0 snapshots=0 boot=yes LIMIT=VALUE``: a new one, booted and connected."""
        options = dict(word.split("=") for word in words)
        n, spares = (int(options.pop(name, default)) for name, default in (("n", "4"), ("spares", "0")))
        snapshots = int(options.pop("snapshots", "0"))
        boots = options.pop("boot", "yes") == "yes"
        limits = Limits(**{"window": 8, **{name: int(value) for name, value in options.items()}})
        self.world = World(n, spares, limits)
        self.world.snapshots = snapshots
        if boots:
            self.world.boot(*range(n + spares))
            self.world.run(10 * MS)
        quorum = self.world.genesis.quorum
        return [f"{quorum.n} replicas, quorum {quorum.quorum}"]

    def do_start(self, words: list[str]) -> None:
        """``start r1,r2``: from what is on their disks."""
        self.world.boot(*self._who(words[0]))

    def do_crash(self, words: list[str]) -> None:
        """``crash r1``: SIGKILL."""
        self.world.kill(*self._who(words[0]))

    def do_power_cut(self, words: list[str]) -> None:
        """``power-cut r1 [lost|torn|holed|ragged|kept]``: what becomes of all that is not synced."""
        fate = Fate[(words[1:] or ["lost"])[0].upper()]
        self.world.power_cut(fate, *self._who(words[0]))

    def do_fail_disk(self, words: list[str]) -> None:
        """``fail-disk r1 after 3 [losing power]``: so many more disk operations succeed."""
        for replica in self._replicas(words[0]):
            replica.disk.fail_after = int(words[2])
            replica.cut_power_at_failure = "power" in words

    def do_fill_disk(self, words: list[str]) -> None:
        """``fill-disk r1``: no space is left."""
        for replica in self._replicas(words[0]):
            replica.disk.space = 0

    def do_wipe(self, words: list[str]) -> None:
        """``wipe r1 [journal|guard|log|state]``: the folder is gone, or the whole disk."""
        for me in self._who(words[0]):
            self.world.wipe(me, *words[1:])

    def do_backup(self, words: list[str]) -> None:
        """``backup r1``: of all that is on its disk now."""
        for replica in self._replicas(words[0]):
            self.backups[replica.me] = replica.disk.copy()

    def do_restore(self, words: list[str]) -> None:
        """``restore r1 [guard]``: the backup, and of the guard, too; else the guard is as it is now."""
        for replica in self._replicas(words[0]):
            replica.restore(self.backups[replica.me].copy(), guard="guard" in words)

    # --- network and time ------------------------------------------------------------------------

    def do_deliver(self, words: list[str]) -> Iterator[str]:
        """``deliver [from r0] [to r1] [type COMMIT]``: what is under way now, and not what follows."""
        for packet in self._some(words):
            start = len(self.world.told)
            frame = self._words(packet)
            self.world.arrive(packet)
            yield f"r{packet.sender} -> r{packet.to}: {frame}"
            told = self.world.told[start:]
            del self.world.told[start:]
            yield from (f"  r{me} {words}" for _, me, words, _ in told)

    def _words(self, packet: Packet) -> str:
        return self.world.words.frame(
            decode(frames, packet.frame), self.world.replicas[packet.sender].engine.epoch
        )

    def do_drop(self, words: list[str]) -> list[str]:
        """``drop FILTER``: what is under way now is lost."""
        return [f"lost: {len(self.world.take(self._filter(words)))}"]

    def do_lose(self, words: list[str]) -> None:
        """``lose FILTER``: and all such frames from now on, until ``lose nothing``."""
        if words == ["nothing"]:
            self.world.losing.clear()
            return
        chosen = self._filter(words)
        self.world.take(chosen)
        self.world.losing.append(chosen)

    def do_garble(self, words: list[str]) -> None:
        """``garble BIT FILTER``: that bit of each such frame under way is turned over."""
        bit = int(words[0])
        for packet in self._some(words[1:]):
            data = bytearray(packet.frame)
            data[bit // 8 % len(data)] ^= 1 << bit % 8
            self.world.arrive(Packet(packet.sender, packet.to, bytes(data), packet.kind, packet.sent_us))

    def do_partition(self, words: list[str]) -> None:
        """``partition 0,1 | 2,3 [noticed]``: noticed where the connections are seen to break."""
        groups = " ".join(word for word in words if word != "noticed").split("|")
        self.world.partition([whole(group.strip()) for group in groups])
        if "noticed" in words:
            self.world.notice_cuts()

    def do_heal(self, words: list[str]) -> None:
        """``heal [noticed]``: noticed where connections are made anew."""
        self.world.heal()
        if "noticed" in words:
            self.world.introduce(*range(len(self.world.replicas)))

    def do_latency(self, words: list[str]) -> None:
        """``latency 100ms``: how long a frame takes while time passes."""
        self.world.latency_us = duration(words[0])

    def do_timer(self, words: list[str]) -> None:
        """``timer progress r2``: it runs out now. Refused where it does not run."""
        for replica in self._replicas(words[1]):
            if not replica.run_out(Timer(words[0])):
                raise Refused(f"the {words[0]} timer of r{replica.me} does not run")

    def do_tick(self, words: list[str]) -> None:
        """``tick 500ms``: time passes, and no frame arrives."""
        self.world.tick(duration(words[0]))

    def do_run(self, words: list[str]) -> None:
        """``run 5s``: time passes, frames arrive."""
        self.world.run(duration(words[0]))

    def do_stabilize(self, _words: list[str]) -> None:
        """Deliver everything, and what follows from it."""
        self.world.stabilize()

    # --- clients ---------------------------------------------------------------------------------

    def do_submit(self, words: list[str]) -> None:
        """``submit 1,2 to r0``: at once, each a request of its own."""
        for number in whole(words[0]):
            self.world.submit(number, self._who(words[2])[0])

    def do_commit(self, words: list[str]) -> None:
        """``commit 1..9 to r0``: one after the other, each when the one before is final."""
        self.world.commit(whole(words[0]), self._who(words[2])[0])

    def do_epoch(self, words: list[str]) -> None:
        """``epoch 1 of r0..4 to r0``: the governor asks for it."""
        self.world.govern(int(words[0]), self._who(words[2]), self._who(words[4])[0])

    def do_receipt(self, words: list[str]) -> None:
        """``receipt 1 from r0``: the client keeps it."""
        number, replica = int(words[0]), self._replicas(words[2])[0]
        ledger, certificate = replica.engine.ledger, replica.engine.ledger.certificate
        if certificate is None:
            raise Refused("nothing is certified")
        signature = replica.engine.signers.log(certificate)
        identity = self.world.prepared(number).id
        self.receipts[number] = encode(ledger.receipt(identity, certificate, signature))

    def do_verify(self, words: list[str]) -> Iterator[str]:
        """``verify 1``: what a verifier with the genesis file alone reads in the receipt that was kept."""
        for number in whole(words[0]):
            proven = Verifier(self.world.genesis).verify_receipt(self.receipts[number])
            signers = ", ".join(proven.checkpoint.replicas)
            outcomes = ", ".join(record.outcome for record in proven.records)
            yield f"transaction {number}: {outcomes}, signed in epoch {proven.epoch} by {signers}"

    # --- what is seen ----------------------------------------------------------------------------

    def do_status(self, words: list[str]) -> Iterator[str]:
        """``status [r1]``: one line for those that are alike; what is as usual is left out."""
        alike: dict[str, list[int]] = {}
        for replica in self._replicas(words[0] if words else "all"):
            usual = self._usual
            facts = self._facts(replica).items()
            told = " ".join(f"{name}={value}" for name, value in facts if usual.get(name) != value)
            alike.setdefault(told, []).append(replica.me)
        return (f"r{numbers(who)}: {told}" for told, who in alike.items())

    def do_expect(self, words: list[str]) -> None:
        """``expect height=3 view=1 all``: refused where it does not hold. Also ``expect equal``, ``expect
        final 1..9`` and ``expect unanswered 1``.
        """
        match words:
            case ["equal"]:
                if not self.world.equal:
                    raise Refused("logs or states differ")
            case ["final" | "unanswered" as which, text]:
                wrong = [n for n in whole(text) if (n in self.world.answered) != (which == "final")]
                if wrong:
                    raise Refused(f"not {which}: {numbers(wrong)}")
            case [*wanted, who]:
                for replica in self._replicas(who):
                    self._expect(replica, wanted)

    def _expect(self, replica: TracedReplica, wanted: Iterable[str]) -> None:
        facts = self._facts(replica)
        for name, value in (word.split("=") for word in wanted):
            if name not in facts:
                raise Refused(f"r{replica.me} has no {name}")
            if str(facts[name]) != value:
                raise Refused(f"r{replica.me} has {name}={facts[name]}, not {value}")

    def do_votes(self, words: list[str]) -> Iterator[str]:
        """``votes r1``: the slots above L."""
        for replica in self._replicas(words[0]):
            core = replica.engine.replica
            for seq, slot in sorted(core.slots.items()):
                value = (
                    "none" if slot.value is None else self.world.words.value(slot.value, core.config.epoch)
                )
                held = f"prepared in v{slot.certificate_view}" if slot.certificate else "not prepared"
                prepares, commits = (numbers(found) or "-" for found in (slot.prepares, slot.commits))
                decided = "decided" if slot.decided else "open"
                votes = f"prepares {prepares}, commits {commits}"
                yield f"r{replica.me} n{seq}: {value}, {held}, {votes}, {decided}"

    def do_log(self, words: list[str]) -> Iterator[str]:
        """``log r1``: the blocks."""
        for replica in self._replicas(words[0]):
            ledger = replica.engine.ledger
            for height in range(1, ledger.height + 1):
                entry = ledger.block(height).entry
                yield f"block {height}: n{entry.seq}, {entry.transactions} transactions, epoch {entry.epoch}"

    def do_journal(self, words: list[str]) -> Iterator[str]:
        """``journal r1``: the records that a restart would find."""
        for replica in self._replicas(words[0]):
            _, items = Journal.open(replica.disk.copy())
            bodies = sum(item[:1] == b"\x00" for item in items)
            names = ", ".join(type(record).__name__ for record in Held.of(items).records)
            yield f"r{replica.me}: {bodies} bodies; {names or 'no record'}"

    @property
    def _usual(self) -> dict[str, object]:
        base = f"{self.world.genesis.limits.view_timer_ms}ms"
        usual = {"alive": "yes", "open": "yes", "votes": "yes", "timers": "none", "patience": base}
        return {**usual, "epoch": 0, "lag": 0, "pending": 0, "evidence": 0, "refused": 0}

    def _facts(self, replica: TracedReplica) -> dict[str, object]:
        if not replica.alive:
            return {"alive": "no"}
        engine, core = replica.engine, replica.engine.replica
        newest = core.stable
        ahead = max(0, (newest.size if newest else 0) - engine.ledger.size)
        return {
            "alive": "yes",
            "epoch": engine.epoch.number,
            "height": engine.ledger.height,
            "view": core.view,
            "open": "yes" if core.active else "no",
            "L": core.low,
            "lag": ahead,
            "pending": len(core.backlog),
            "patience": f"{core.patience}ms",
            "timers": "+".join(timer.value for timer in replica.timers) or "none",
            "votes": _votes(core),
            "evidence": len(engine.testimony.evidence),
            "refused": engine.counters.messages_refused,
        }

    # --- words -----------------------------------------------------------------------------------

    def _who(self, text: str) -> list[int]:
        if text == "all":
            return list(range(len(self.world.replicas)))
        return whole(text.replace("r", ""))

    def _replicas(self, text: str) -> list[TracedReplica]:
        return [self.world.replicas[me] for me in self._who(text)]

    def _some(self, words: list[str]) -> list[Packet]:
        """What is under way and meant. Refused where that is nothing: the scenario means something else."""
        packets = self.world.take(self._filter(words))
        if not packets:
            raise Refused("no such frame is under way")
        return packets

    def _filter(self, words: list[str]) -> Filter:
        found = dict(zip(words[::2], words[1::2], strict=True))
        unknown = set(found) - {"from", "to", "type"}
        if unknown:
            raise Refused(f"not a filter: {' '.join(words)}")
        kinds = frozenset(found["type"].split(",") if "type" in found else ())
        if not kinds <= set(KINDS.values()):
            raise Refused(f"no such type of message: {found['type']}")
        senders, receivers = (self._who(found[end]) if end in found else () for end in ("from", "to"))
        return Filter(frozenset(senders), frozenset(receivers), kinds)


def _votes(core: Replica) -> str:
    if not core.config.votes:
        return "no"
    return "learns" if core.learning else "asks" if core.in_doubt else "yes"
