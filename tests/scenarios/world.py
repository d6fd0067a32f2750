"""A cluster of shipping engines whose network, clock and disks stand still until they are told to go on."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from msgspec import Struct

from grootboek._core import State
from grootboek.client.transactions import Prepared
from grootboek.errors import BadFrame, Damaged, StorageError
from grootboek.ledger import Registry
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.modules.replicas import Replicas
from grootboek.node.intake import Request
from grootboek.node.signers import Keys
from grootboek.proofs import Final
from grootboek.simulation.clients import transaction
from grootboek.simulation.disk import Fate
from grootboek.simulation.founding import found, keys_of
from grootboek.simulation.heap import EPOCH_MS, Heap
from grootboek.simulation.membership import GOVERNOR_KEY, governor, open_epoch
from grootboek.simulation.monitor import Monitor
from grootboek.types import Epoch, Limits
from grootboek.wire import Frame, decode, encode, frames
from tests.node.cluster import FOREVER_MS, signed
from tests.scenarios.traced import TracedReplica
from tests.scenarios.words import Words, kind_of

MS = 1_000
LATENCY_US = MS
GOVERNOR_NUMBER = 9_000
"""Commands of the governor are known by the numbers from here on."""


class Packet(Struct, frozen=True):
    """A frame under way."""

    sender: int
    to: int
    frame: bytes
    kind: str
    sent_us: int


class Filter(Struct, frozen=True):
    """Which frames are meant; what is left empty means all."""

    senders: frozenset[int] = frozenset()
    receivers: frozenset[int] = frozenset()
    kinds: frozenset[str] = frozenset()

    def meets(self, packet: Packet) -> bool:
        """Whether ``packet`` is one of them."""
        return (
            (not self.senders or packet.sender in self.senders)
            and (not self.receivers or packet.to in self.receivers)
            and (not self.kinds or packet.kind in self.kinds)
        )


class World:
    """``n`` replicas that boot when told; the invariants of safety are checked after every turn."""

    def __init__(self, n: int = 4, spares: int = 0, limits: Limits | None = None) -> None:
        registry = Registry.of(Parties, Records, Replicas)
        modules = {name: registry.load(name).version for name in registry.names}
        self.genesis, _ = found(n, modules, limits=limits or Limits(window=8), parties=(governor(),))
        self.heap = Heap()
        self.monitor = Monitor()
        self.words = Words(self.genesis.chain)
        self.told: list[tuple[int, int, str, bool]] = []
        """(microseconds, replica, words, rare), in order."""
        self.sent = Counter[str]()
        """Frames that left a replica, by kind."""
        self.latency_us = LATENCY_US
        self.wire: list[Packet] = []
        self.cut: set[tuple[int, int]] = set()
        self.snapshots = 0
        """How many blocks are between two snapshots, and how many entries behind is far; 0: as shipped."""
        self.losing: list[Filter] = []
        """What the network loses until told otherwise."""
        self.answered: dict[int, int] = {}
        """By number of a transaction: its place in the log, as the client was told."""
        self._made: dict[int, Prepared] = {}
        self.replicas = [self._replica(place, registry) for place in range(n + spares)]

    def _replica(self, place: int, registry: Registry) -> TracedReplica:
        replica = TracedReplica(
            self.genesis,
            place,
            keys_of(place),
            registry,
            heap=self.heap,
            send=self._send,
            observe=self.monitor.turn,
            failed=lambda failed: self.note(failed.me, "ends: its disk failed"),
            keys_in=partial(_keys_in, place),
        )
        replica.words, replica.tell, replica.mention = self.words, self.note, self.mention
        return replica

    def note(self, me: int, words: str) -> None:
        """Something rare happened at a replica."""
        self.told.append((self.heap.now_us, me, words, True))

    def mention(self, me: int, words: str) -> None:
        """Something common did."""
        self.told.append((self.heap.now_us, me, words, False))

    # --- the network -----------------------------------------------------------------------------

    def _send(self, sender: int, to: int, frame: Frame, epoch: Epoch) -> None:
        self.monitor.sent(sender, frame, epoch)
        kind = kind_of(frame)
        self.sent[kind] += 1
        packet = Packet(sender, to, encode(frame), kind, self.heap.now_us)
        if (sender, to) not in self.cut and not any(rule.meets(packet) for rule in self.losing):
            self.wire.append(packet)

    def arrive(self, packet: Packet) -> None:
        """A frame reaches its receiver, or a process that is gone."""
        try:
            frame = decode(frames, packet.frame)
        except BadFrame:
            self.note(packet.to, f"refuses what r{packet.sender} sent: not a frame")
            return
        replica = self.replicas[packet.to]
        refused = replica.alive and replica.engine.counters.messages_refused
        replica.receive(packet.sender, frame)
        if replica.alive and replica.engine.counters.messages_refused > refused:
            self.note(packet.to, f"refuses what r{packet.sender} sent")

    def take(self, chosen: Filter) -> list[Packet]:
        """The frames under way that ``chosen`` meets; they are not under way any more."""
        taken = [packet for packet in self.wire if chosen.meets(packet)]
        self.wire = [packet for packet in self.wire if not chosen.meets(packet)]
        return taken

    def partition(self, groups: Sequence[Sequence[int]]) -> None:
        """No frame passes between the groups; what is under way between them is lost."""
        home = {me: i for i, group in enumerate(groups) for me in group}
        self.cut |= {(a, b) for a in home for b in home if home[a] != home[b]}
        self.wire = [packet for packet in self.wire if (packet.sender, packet.to) not in self.cut]

    def notice_cuts(self) -> None:
        """Both ends of each broken connection see that it is."""
        for a, b in sorted(self.cut):
            self.replicas[a].lost(b)

    def heal(self) -> None:
        """All frames pass again."""
        self.cut.clear()

    def introduce(self, *places: int) -> None:
        """These are connected anew, with all that live and whom they reach."""
        pairs = {(a, b) for a in places for b in range(len(self.replicas)) if a != b}
        for a, b in sorted(pairs | {(b, a) for a, b in pairs}):
            if self.replicas[a].alive and self.replicas[b].alive and (a, b) not in self.cut:
                self.replicas[a].lost(b)
                self.replicas[a].connected(b)

    # --- time ------------------------------------------------------------------------------------

    def tick(self, microseconds: int) -> None:
        """Time passes, and no frame arrives."""
        until = self.heap.now_us + microseconds
        while self.heap.step(until):
            pass

    def run(self, microseconds: int, stop: Callable[[], bool] = lambda: False) -> None:
        """Time passes, and each frame arrives when its time has come."""
        end = self.heap.now_us + microseconds
        while not stop():
            due = min(self.wire[0].sent_us + self.latency_us, end) if self.wire else end
            if self.heap.step(max(due, self.heap.now_us)):
                continue
            if not self.wire or self.wire[0].sent_us + self.latency_us > end:
                return
            self.arrive(self.wire.pop(0))

    def stabilize(self) -> None:
        """Deliver everything, and what follows from it, until nothing is under way; syncs take their time."""
        quiet = False
        while self.wire or not quiet:
            while self.wire:
                self.arrive(self.wire.pop(0))
            self.tick(MS)
            quiet = not self.wire

    # --- processes and disks ---------------------------------------------------------------------

    def boot(self, *places: int) -> None:
        """Start processes, and connect them to all that live."""
        for place in places:
            replica = self.replicas[place]
            replica.damaged = False
            try:
                replica.boot()
            except (Damaged, StorageError) as error:
                self.note(place, f"does not start: {error.code} {error}")
            else:
                ledger, core = replica.engine.ledger, replica.engine.replica
                if self.snapshots:
                    ledger.snapshot_heights = replica.engine.catchup.far = self.snapshots
                self.note(place, f"starts at height {ledger.height} in view {core.view}")
        self.introduce(*(place for place in places if self.replicas[place].alive))

    def kill(self, *places: int) -> None:
        """SIGKILL; their connections break."""
        for place in places:
            self.replicas[place].kill()
        for replica in self.replicas:
            for place in places:
                replica.lost(place)

    def power_cut(self, fate: Fate, *places: int) -> None:
        """SIGKILL, and all that was not synced meets its fate."""
        self.kill(*places)
        for place in places:
            self.replicas[place].disk.lose_power(lambda _name: fate)

    def wipe(self, place: int, folder: str = "") -> None:
        """The files of a folder are gone, or the whole disk and what was made of it."""
        replica = self.replicas[place]
        if not folder:
            replica.lose_disk()
        elif folder == "state":
            replica._state = State()
        else:
            for name in replica.disk.names(folder):
                replica.disk.remove(f"{folder}/{name}")
            replica.forgetful = True

    # --- clients ---------------------------------------------------------------------------------

    def prepared(self, number: int) -> Prepared:
        """The client's transaction of that number."""
        if number not in self._made:
            expiry = self.heap.now_ms + FOREVER_MS
            made = self._made[number] = signed(self.genesis.chain, number, expiry=expiry)
            self.words.know(made.id, number)
        return self._made[number]

    def submit(self, number: int, to: int) -> None:
        """A client hands its transaction to a replica."""
        self._submit(number, self.prepared(number).frame, to)

    def govern(self, epoch: int, places: Sequence[int], to: int) -> None:
        """The governor asks for a next epoch with the replicas at these places."""
        heights = {place: self.replicas[place].engine.ledger.height for place in places}
        command = open_epoch(self.genesis.chain.origin, epoch, heights)
        number = GOVERNOR_NUMBER + epoch
        identity, body = transaction(self.genesis.chain, GOVERNOR_KEY, number, command)
        self.words.know(identity, number)
        self._submit(number, body, to)

    def _submit(self, number: int, body: bytes, to: int) -> None:
        def done(request: Request) -> None:
            result = request.settled[0]
            if not isinstance(result, Final):
                self.note(to, f"refuses transaction {number}: {result.code}")
                return
            assert self.answered.setdefault(number, result.index) == result.index, "PS7: executed twice"
            self.mention(to, f"answers transaction {number}: final")

        self.replicas[to].submit(body, done)

    def commit(self, numbers: Iterable[int], to: int) -> None:
        """One transaction after the other, each when the one before is final."""
        for number in numbers:
            self.submit(number, to)
            self.run(60_000 * MS, partial(self.answered.__contains__, number))
            assert number in self.answered, f"transaction {number} is not final after a minute"

    # --- what is seen ----------------------------------------------------------------------------

    @property
    def living(self) -> list[TracedReplica]:
        """The replicas whose process runs."""
        return [replica for replica in self.replicas if replica.alive]

    @property
    def equal(self) -> bool:
        """Whether all that live have one log and one state."""
        ledgers = [replica.engine.ledger for replica in self.living]
        return len({(ledger.size, ledger.root, ledger.state_root) for ledger in ledgers}) == 1

    @property
    def now_ms(self) -> int:
        """Milliseconds since the scenario began."""
        return self.heap.now_ms - EPOCH_MS


def _keys_in(place: int, epoch: Epoch) -> Keys:
    return keys_of(place, epoch.number)
