"""A running replica: the engine with sockets, a clock, timers and worker threads around it.

One event loop carries consensus. Bulk parsing of batches and the syncing of the log go to worker
threads; the HTTP API has a thread and a loop of its own and hands whole requests over.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from grootboek import __version__
from grootboek._core import SigningKey, State, TransactionBatch, backend
from grootboek.disk import Disk
from grootboek.errors import Unavailable
from grootboek.ledger import Ledger, Registry
from grootboek.network import Credentials, Lane, Mesh
from grootboek.node.engine import Engine
from grootboek.node.intake import Request
from grootboek.node.journal import Journal
from grootboek.node.journalled import Held
from grootboek.node.judging import judge_batch, judge_request
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.metrics import NodeMetrics
from grootboek.node.outbox import Outbox
from grootboek.node.seats import Seats
from grootboek.proofs import Answer
from grootboek.transfer import Chunk, FetchChunk, FetchSnapshot, Offer
from grootboek.types import Genesis, ReplicaInfo
from grootboek.webapi import NodeStatus, PeerStatus
from grootboek.wire import (
    Batch,
    Certificate,
    Entries,
    Evidence,
    FetchBatch,
    FetchEntries,
    Frame,
    ReplicaId,
    Signature,
    block_of,
)

__all__ = ["Node"]

INLINE_BYTES = 8 << 10
"""Up to so many bytes of transactions are judged on the loop: a hop to a thread would cost more."""
WORKERS = 2

_LANES: dict[type, Lane] = {
    Batch: Lane.BATCH,
    FetchBatch: Lane.BATCH,
    FetchEntries: Lane.TRANSFER,
    Entries: Lane.TRANSFER,
    FetchSnapshot: Lane.TRANSFER,
    Offer: Lane.TRANSFER,
    FetchChunk: Lane.TRANSFER,
    Chunk: Lane.TRANSFER,
}

log = structlog.get_logger("grootboek.node")


class Node:
    """One replica on the current event loop. ``await start()``, later ``await stop()``.

    It is the API's ``Backend``: those methods are safe in any thread.
    """

    def __init__(
        self,
        genesis: Genesis,
        keys: ReplicaKeys | Seats,
        disk: Disk,
        state: State,
        modules: Registry,
        *,
        guard: Disk | None = None,
        listen: str | None = None,
        source: str | None = None,
        fresh: Callable[[], State] | None = None,
        failed: Callable[[BaseException], None],
        opened: Callable[[ReplicaInfo, ReplicaKeys], None] | None = None,
    ) -> None:
        """Opens journal and ledger; raises Damaged, StorageError, KeyFileError and GenesisError.

        ``opened`` is called at the start and whenever an epoch begins, with how this replica presents
        itself in it and with its keys of it, before any of them is used.
        ``guard``: the disk of the journal's marker where it is not ``disk``.
        ``fresh`` makes an empty state where the given one does not belong to the log.
        ``listen``: the mesh's own address where it is not the one in the genesis file; ``source``: the one
        that it dials from. ``failed`` is
        called once when the replica cannot go on; whatever it has promised is durable.
        """
        self._seats = keys if isinstance(keys, Seats) else Seats([keys])
        self._genesis = genesis
        self._listen = listen
        self._source = source
        self._opened = opened or (lambda _info, _keys: None)
        self.modules = modules
        journal, items = Journal.recover(disk, guard)
        held = Held.of(items)
        self._ledger = Ledger.open(genesis, disk, state, modules, fresh, vouched=held.vouched)
        self._seats.recall(self._ledger.epochs.all)
        me, signing = self._seats.seat(self._ledger.epochs.last)
        self.engine = Engine(genesis, me, signing, self._ledger, journal, held, self._seats.seat)
        self.mesh = self._make_mesh()
        self._registry = CollectorRegistry()
        self._registry.register(NodeMetrics(self.engine, lambda: self.mesh))
        self._failed = failed
        self._changing = asyncio.Lock()
        """Held while one network takes the place of another."""
        self._told = (0, True)
        """The view that was last spoken of, and whether it was open."""
        self._draining = False
        self._stopping = False
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="grootboek-worker")
        self._maintainer = ThreadPoolExecutor(1, thread_name_prefix="grootboek-disk")
        self._timers: dict[Hashable, asyncio.TimerHandle] = {}
        self._arrived: list[tuple[int, Frame]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: dict[asyncio.Future[Request], None] = {}
        """Requests that are not answered yet; each belongs to the loop that submitted it."""
        self._loop: asyncio.AbstractEventLoop

    # --- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recover, listen and dial the peers; raises ConfigError where it cannot listen."""
        self._loop = asyncio.get_running_loop()
        await self.mesh.start()
        self._turn(self.engine.start)

    # --- epochs ----------------------------------------------------------------------------------

    @property
    def info(self) -> ReplicaInfo:
        """How this replica presents itself now."""
        return self._seats.info(self.engine.epoch)

    @property
    def keys(self) -> ReplicaKeys:
        """Its private keys of the present epoch."""
        return self._seats.keys(self.engine.epoch)

    @property
    def me(self) -> int:
        """Its index in the present epoch; the number of replicas, where it observes."""
        return self.engine.me

    def _make_mesh(self) -> Mesh:
        """The network of the present epoch; what comes of an older one's is not listened to."""
        epoch, seats = self.engine.epoch, self._seats
        keys, info = seats.keys(epoch), seats.info(epoch)
        self._opened(info, keys)
        self._observers = self._ledger.observers
        return Mesh(
            self.engine.me,
            self._genesis,
            epoch,
            Credentials(voting=SigningKey(keys.voting), transport=keys.transport),
            guests=self._guests,
            own=info,
            alone=self._left,
            deliver=partial(self._deliver, epoch.number),
            connected=partial(self._connected, epoch.number),
            lost=partial(self._lost, epoch.number),
            listen=self._listen,
            source=self._source,
        )

    @property
    def _left(self) -> bool:
        """Whether an earlier epoch has named this replica, and nobody expects it any more."""
        name, epoch = self._seats.name, self.engine.epoch
        known = name in {observer.name for observer in self._ledger.observers}
        took_part = any(one.index(name) is not None for one in self._ledger.epochs.all)
        return took_part and epoch.index(name) is None and not known

    @property
    def _guests(self) -> list[ReplicaInfo]:
        """Who may connect besides the replicas of the epoch: observers, and those of the epoch before, with
        the keys that they had in it, since one that has left or has other keys may not know yet.
        """
        observers = [observer.info for observer in self._observers]
        return observers + [info for epoch in self._ledger.epochs.all[-2:-1] for info in epoch.replicas]

    async def _change_mesh(self) -> None:
        """Leave the network of the epoch that is over, and join that of the present one."""
        try:
            async with self._changing:
                await self.mesh.close()
                if not self._stopping:
                    self.mesh = self._make_mesh()
                    await self.mesh.start()
                    epoch = self.engine.epoch
                    role = "votes" if self.me < epoch.quorum.n else "has left" if self._left else "observes"
                    log.info("epoch opened", epoch=epoch.number, replicas=epoch.quorum.n, role=role)
        except BaseException as error:
            self._fail(error)
            if isinstance(error, asyncio.CancelledError):
                raise

    def drain(self) -> None:
        """Take no new requests; those under way go on."""
        self._draining = True

    async def stop(self) -> None:
        """Leave the mesh and make everything durable that was executed."""
        failed, self._stopping = self._stopping, True
        self._refuse_open()
        await self.mesh.close()
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._workers.shutdown()
        try:
            await self._loop.run_in_executor(self._maintainer, self._make_durable)
            if not failed:
                self.engine.close()
        finally:
            self._maintainer.shutdown()

    def _fail(self, error: BaseException) -> None:
        if not self._stopping:
            self._stopping = True
            self._refuse_open()
            self._failed(error)

    def _refuse_open(self) -> None:
        """Nobody will answer these: better to say so than to let them wait."""
        waiting, self._open = self._open, {}
        for settled in waiting:
            _tell(settled, Unavailable("the node is stopping"))

    # --- turns -----------------------------------------------------------------------------------

    def _turn(self, action: Callable[[int], Outbox]) -> None:
        """Run one turn of the engine and do what it leaves; an error ends the replica."""
        if self._stopping:
            return
        try:
            out = action(time.time_ns() // 1_000_000)
        except BaseException as error:  # noqa: BLE001  # whatever it is (a panic, too), it must not go on
            self._fail(error)
            return
        self._tell_view()
        for to, frame in out.frames:
            self._send(to, frame)
        for timer, delay in out.timers:
            self._set(timer, delay)
        if out.sync or out.flush:
            self._spawn(self._maintain(flush=out.flush))
        if out.opens:
            self._arrived = []
            self._turn(self.engine.open_epoch)
            self._spawn(self._change_mesh())
        elif self._ledger.observers is not self._observers:
            self._observers = self._ledger.observers
            self.mesh.admit(self._guests)

    def _tell_view(self) -> None:
        """Operators see when a primary is left, and who is the next."""
        replica = self.engine.replica
        view, active = now = replica.view, replica.active
        if now != self._told:
            self._told = now
            primary = self.engine.epoch.replicas[replica.primary].name
            log.info("view open" if active else "view wanted", view=view, primary=primary)

    def _send(self, to: int | None, frame: Frame) -> None:
        lane = _LANES.get(type(frame), Lane.VOTE)
        if to is None:
            self.mesh.broadcast(frame, lane)
        else:
            self.mesh.send(to, frame, lane)

    def _set(self, timer: Hashable, delay_ms: int | None) -> None:
        running = self._timers.pop(timer, None)
        if running is not None:
            running.cancel()
        if delay_ms is not None:
            self._timers[timer] = self._loop.call_later(delay_ms / 1_000, self._fire, timer)

    def _fire(self, timer: Hashable) -> None:
        del self._timers[timer]
        self._turn(lambda now: self.engine.timer(timer, now))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _maintain(self, *, flush: bool) -> None:
        """Sync the log, and flush the state, beside ordering."""
        work = partial(self._make_durable, flush=flush, state=False)
        try:
            seq = await self._loop.run_in_executor(self._maintainer, work)
        except BaseException as error:
            self._fail(error)
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        self._turn(lambda now: self.engine.stored(seq, now))

    def _make_durable(self, *, flush: bool = True, state: bool = True) -> int:
        seq = self._ledger.seq
        self._ledger.sync()
        if flush:
            self._ledger.flush(state=state)
            self._ledger.keep_snapshots()
        return seq

    # --- peers -----------------------------------------------------------------------------------

    def _connected(self, epoch: int, peer: int) -> None:
        if epoch == self.engine.epoch.number:
            self._turn(lambda now: self.engine.connected(peer, now))

    def _lost(self, epoch: int, peer: int) -> None:
        if epoch == self.engine.epoch.number:
            self.engine.lost(peer)

    def _deliver(self, epoch: int, sender: int, frame: Frame) -> Awaitable[None] | None:
        """Take a frame of a connection that was made in ``epoch``.

        Votes gather until the loop comes round, so that one call checks them all; a large batch is judged
        in a thread, and its sender waits for that.
        """
        if epoch != self.engine.epoch.number:
            return None
        if isinstance(frame, Batch):
            if len(frame.body) > INLINE_BYTES:
                return self._judge_elsewhere(epoch, sender, frame)
            batch = judge_batch(frame.body, self._genesis)
            self._turn(lambda now: self.engine.body(sender, batch, now))
            return None
        if not self._arrived:
            self._loop.call_soon(self._drain)
        self._arrived.append((sender, frame))
        return None

    def _drain(self) -> None:
        arrived, self._arrived = self._arrived, []
        self._turn(lambda now: self.engine.frames(arrived, now))

    async def _judge_elsewhere(self, epoch: int, sender: int, frame: Batch) -> None:
        batch = await self._loop.run_in_executor(self._workers, judge_batch, frame.body, self._genesis)
        if epoch == self.engine.epoch.number:
            self._turn(lambda now: self.engine.body(sender, batch, now))

    # --- what the API asks (any thread) ----------------------------------------------------------

    @property
    def genesis(self) -> Genesis:
        """The founding document."""
        return self._genesis

    @property
    def ledger(self) -> Ledger:
        """The ledger, for reading only."""
        return self._ledger

    @property
    def registry(self) -> CollectorRegistry:
        """The metrics."""
        return self._registry

    def certificate(self) -> Certificate | None:
        """The newest stable checkpoint of the log."""
        return self._ledger.certificate

    def log_signature(self, certificate: Certificate) -> tuple[ReplicaId, Signature]:
        """This replica and its log key's signature over a certified checkpoint."""
        return self.engine.signers.log(certificate)

    def evidence(self) -> Sequence[Evidence]:
        """Pairs of signed messages that no correct replica signs both."""
        return self.engine.testimony.evidence

    async def submit(self, body: bytes, client: str) -> Answer:  # noqa: ARG002  # quotas are by key, not address
        """Order a client's framed transactions; awaited on the API's own loop.

        Raises Malformed where the framing is broken and Unavailable where the node stops. Cancelling
        changes nothing: what was admitted stays so, and the same bytes may be submitted again.
        """
        if self._draining or self._stopping:
            raise Unavailable("the node is stopping")
        if self.me >= self.engine.epoch.quorum.n:
            raise Unavailable("this replica takes no part in the ledger now")
        loop = asyncio.get_running_loop()
        if len(body) > INLINE_BYTES:
            batch = await loop.run_in_executor(self._workers, judge_request, body, self._genesis)
        else:
            batch = judge_request(body, self._genesis)
        settled: asyncio.Future[Request] = loop.create_future()
        self._loop.call_soon_threadsafe(self._take, batch, settled)
        return self.engine.answer(await settled)

    def _take(self, batch: TransactionBatch, settled: asyncio.Future[Request]) -> None:
        """Hand a request to the engine, on the replica's own loop."""
        if self._stopping:
            _tell(settled, Unavailable("the node is stopping"))
            return
        self._open[settled] = None

        def done(request: Request) -> None:
            self._open.pop(settled, None)
            _tell(settled, request)

        self._turn(lambda now: self.engine.submit(batch, now, done))

    def ready(self) -> Sequence[str]:
        """Why the node should get no traffic; empty where it should."""
        reasons = []
        if self._draining or self._stopping:
            reasons.append("the node is stopping")
        epoch = self.engine.epoch
        if self.me >= epoch.quorum.n:
            what = "has left" if self._left else "observes"
            reasons.append(f"this replica {what}: epoch {epoch.number} does not name it")
        reachable = len([peer for peer in self.engine.reachable if peer < epoch.quorum.n]) + 1
        if reachable < epoch.quorum.quorum:
            reasons.append(f"only {reachable} of {epoch.quorum.quorum} replicas are connected")
        if self.engine.catchup.running:
            reasons.append("the log is catching up")
        return reasons

    def status(self) -> NodeStatus:
        """Where the node is."""
        replica, ledger = self.engine.replica, self._ledger
        complete = self.engine.complete  # asked first: epoch and size may be later ones, never earlier
        certificate = ledger.certificate
        stable = replica.stable
        names = [info.name for info in self.engine.epoch.replicas]
        return NodeStatus(
            name=self._seats.name,
            replica=self.me,
            epoch=self.engine.epoch.number,
            version=__version__,
            backend=backend()[1],
            view=replica.view,
            primary=names[replica.primary],
            active=replica.active,
            height=ledger.height,
            seq=ledger.seq,
            size=ledger.size,
            root=ledger.state_root,
            time=ledger.time,
            certified_height=0 if certificate is None else block_of(certificate).height,
            certified_size=0 if certificate is None else certificate.size,
            complete=complete,
            lag=0 if stable is None else max(0, block_of(stable).seq - ledger.seq),
            pool=len(self.engine.intake.pool),
            peers=tuple(
                PeerStatus(name=name, connected=i in self.engine.reachable)
                for i, name in enumerate(names)
                if i != self.me
            ),
            reasons=tuple(self.ready()),
        )


def _tell(settled: asyncio.Future[Request], outcome: Request | Unavailable) -> None:
    """End a request on the loop that waits for it; nobody is there where that loop is closed."""
    with contextlib.suppress(RuntimeError):
        settled.get_loop().call_soon_threadsafe(_settle, settled, outcome)


def _settle(settled: asyncio.Future[Request], outcome: Request | Unavailable) -> None:
    if settled.done():
        return
    if isinstance(outcome, Unavailable):
        settled.set_exception(outcome)
    else:
        settled.set_result(outcome)
