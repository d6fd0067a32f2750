"""Replicas find each other, lose each other and find each other again; votes are never crowded out."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from grootboek.errors import BadMessage, ConfigError, KeyFileError
from grootboek.network import Credentials, Lane, LaneBudgets, Mesh, MeshLimits
from grootboek.network.addresses import split_address
from grootboek.types import Limits
from grootboek.wire import Batch, Frame, Status
from tests.network.sites import QUICK, Inbox, Site

NewSite = Callable[..., Site]
BODY = bytes(1 << 20)


def vote(number: int) -> Status:
    return Status(view=number, active=True, executed=0, stable=None)


async def test_four_replicas_connect_in_pairs(new_site: NewSite) -> None:
    site = new_site(4)
    meshes = await site.all_connected()
    for i, mesh in enumerate(meshes):
        assert mesh.peers == [peer for peer in range(4) if peer != i]
        assert sum(counters.connections for counters in mesh.counters) == 3


async def test_frames_arrive_in_order_with_their_sender(new_site: NewSite) -> None:
    site = new_site(3)
    meshes = await site.all_connected()
    for number in range(200):
        meshes[0].send(2, vote(number), Lane.VOTE)
    meshes[1].broadcast(Batch(BODY), Lane.BATCH)
    inbox = site.inboxes[2]
    await inbox.until(lambda: len(inbox.frames) == 201)
    assert [f.view for sender, f in inbox.frames if sender == 0 and isinstance(f, Status)] == list(range(200))
    assert (1, Batch(BODY)) in inbox.frames
    await site.inboxes[0].until(lambda: (1, Batch(BODY)) in site.inboxes[0].frames)


async def test_counters_of_a_connection(new_site: NewSite) -> None:
    site = new_site(2)
    meshes = await site.all_connected()
    before = meshes[1].counters[0].bytes_received
    for number in range(10):
        meshes[0].send(1, vote(number), Lane.VOTE)
    await site.inboxes[1].until(lambda: len(site.inboxes[1].frames) == 10)
    sent, received = meshes[0].counters[1], meshes[1].counters[0]
    assert sent.frames_sent == 10
    assert received.frames_received == 10 + 2  # with the handshake's
    assert received.bytes_received - before == sent.bytes_sent
    assert sent.dropped == [0, 0, 0]


async def test_what_is_sent_to_nobody_is_counted(new_site: NewSite) -> None:
    site = new_site(2)
    mesh = await site.start(0)
    mesh.send(1, vote(1), Lane.VOTE)
    mesh.broadcast(Batch(b"x"), Lane.BATCH)
    assert mesh.counters[1].dropped == [1, 1, 0]
    assert mesh.queued(1) == 0


async def test_a_restarted_replica_is_found_again(new_site: NewSite) -> None:
    site = new_site(3)
    meshes = await site.all_connected()
    for turn in range(3):
        await meshes[0].close()
        for i in (1, 2):
            inbox = site.inboxes[i]
            await inbox.until(lambda inbox=inbox, turn=turn: inbox.lost == [0] * (turn + 1))  # type: ignore[misc]  # bound now
        meshes[0] = await site.start(0)
        await site.inboxes[0].until(lambda turn=turn: len(site.inboxes[0].connected) == 2 * (turn + 2))  # type: ignore[misc]  # bound now
    await site.inboxes[1].until(lambda: site.inboxes[1].connected.count(0) == 4)
    meshes[0].broadcast(vote(7), Lane.VOTE)
    for i in (1, 2):
        inbox = site.inboxes[i]
        await inbox.until(lambda inbox=inbox: inbox.frames == [(0, vote(7))])  # type: ignore[misc]  # bound now
    assert meshes[1].counters[0].connections == 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127/8 without being told")
async def test_a_replica_dials_from_the_address_that_is_set(new_site: NewSite) -> None:
    site = new_site(2)
    host, port = split_address(site.genesis.replicas[0].address)
    dialler: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not dialler.done():
            dialler.set_result(writer.get_extra_info("peername")[0])
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(take, host, port):
        await site.start(1, source="127.0.0.9")
        assert await asyncio.wait_for(dialler, 30) == "127.0.0.9"
        await site.meshes[0].close()


async def test_an_address_of_another_machine_cannot_be_dialled_from(new_site: NewSite) -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1: cannot dial from here"):
        await new_site(2).start(1, source="192.0.2.1")


class Gate:
    """A receiver whose peers wait until it opens."""

    def __init__(self, inbox: Inbox, *, only: int | None = None) -> None:
        self._inbox = inbox
        self._only = only
        self._event = asyncio.Event()
        self.open = self._event.set

    def deliver(self, sender: int, frame: Frame) -> Awaitable[None] | None:
        self._inbox.deliver(sender, frame)
        if self._event.is_set() or self._only not in (None, sender):
            return None
        return self._wait()

    async def _wait(self) -> None:
        await self._event.wait()


async def test_a_vote_overtakes_every_batch_that_is_not_yet_written(new_site: NewSite) -> None:
    site = new_site(2)
    inbox = site.inboxes[1]
    gate = Gate(inbox)
    sender = await site.start(0, limits=MeshLimits(budgets=LaneBudgets(batch_bytes=64 << 20)))
    await site.start(1, deliver=gate.deliver)
    await site.inboxes[0].until(lambda: site.inboxes[0].connected == [1])
    for _ in range(60):
        sender.send(1, Batch(BODY), Lane.BATCH)
    await asyncio.sleep(0)
    written = sender.counters[1].frames_sent
    assert 0 < written < 60
    sender.send(1, vote(1), Lane.VOTE)
    gate.open()
    await inbox.until(lambda: len(inbox.frames) == 61)
    assert inbox.frames.index((0, vote(1))) == written
    assert sender.counters[1].dropped == [0, 0, 0]


async def test_a_flood_of_batches_drops_batches_and_no_vote(new_site: NewSite) -> None:
    site = new_site(2)
    inbox = site.inboxes[1]
    gate = Gate(inbox)
    sender = await site.start(0, limits=MeshLimits(budgets=LaneBudgets(batch_bytes=4 << 20)))
    await site.start(1, deliver=gate.deliver)
    await site.inboxes[0].until(lambda: site.inboxes[0].connected == [1])
    for number in range(60):
        sender.send(1, Batch(BODY), Lane.BATCH)
        sender.send(1, vote(number), Lane.VOTE)
        assert sender.queued(1) <= (5 << 20)
        await asyncio.sleep(0)
    gate.open()
    dropped = sender.counters[1].dropped
    assert dropped[Lane.VOTE] == 0
    assert dropped[Lane.BATCH] > 0
    await inbox.until(lambda: len(inbox.frames) == 120 - dropped[Lane.BATCH])
    assert [f.view for _, f in inbox.frames if isinstance(f, Status)] == list(range(60))


async def test_one_waiting_peer_does_not_hold_up_another(new_site: NewSite) -> None:
    site = new_site(3)
    inbox = site.inboxes[2]
    gate = Gate(inbox, only=0)
    meshes = [await site.start(0), await site.start(1), await site.start(2, deliver=gate.deliver)]
    await inbox.until(lambda: len(inbox.connected) == 2)
    await site.inboxes[0].until(lambda: 2 in site.inboxes[0].connected)
    await site.inboxes[1].until(lambda: 2 in site.inboxes[1].connected)
    for number in range(5):
        meshes[0].send(2, vote(number), Lane.VOTE)
        meshes[1].send(2, vote(number), Lane.VOTE)
    await inbox.until(lambda: sum(sender == 1 for sender, _ in inbox.frames) == 5)
    assert sum(sender == 0 for sender, _ in inbox.frames) <= 1
    gate.open()
    await inbox.until(lambda: len(inbox.frames) == 10)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("error", [BadMessage("of the gate"), ValueError("a bug")])
async def test_an_error_of_the_receiver_closes_the_connection_and_no_more(
    new_site: NewSite, error: Exception, late: bool
) -> None:
    site = new_site(2)
    refused: list[Frame] = []

    async def fail() -> None:
        raise error

    def deliver(_: int, frame: Frame) -> asyncio.Task[None] | None:
        if len(refused) < 1:
            refused.append(frame)
            if late:
                return asyncio.create_task(fail())
            raise error
        site.inboxes[1].deliver(0, frame)
        return None

    sender = await site.start(0)
    await site.start(1, deliver=deliver)
    await site.inboxes[0].until(lambda: site.inboxes[0].connected == [1])
    sender.send(1, vote(1), Lane.VOTE)
    await site.inboxes[0].until(lambda: site.inboxes[0].connected == [1, 1])
    sender.send(1, vote(2), Lane.VOTE)
    await site.inboxes[1].until(lambda: site.inboxes[1].frames == [(0, vote(2))])


async def test_close_lets_the_last_frames_leave(new_site: NewSite) -> None:
    site = new_site(2)
    meshes = await site.all_connected()
    meshes[0].send(1, Batch(BODY), Lane.BATCH)
    meshes[0].send(1, vote(1), Lane.VOTE)
    await meshes[0].close()
    await site.inboxes[1].until(lambda: len(site.inboxes[1].frames) == 2)


async def test_an_address_in_use_is_a_configuration_error(new_site: NewSite) -> None:
    site = new_site(2)
    await site.start(0)
    with pytest.raises(ConfigError, match="cannot listen"):
        await site.start(0)
    site.meshes.pop()


async def test_a_transport_key_that_is_not_the_certificates_is_refused(new_site: NewSite) -> None:
    site = new_site(2)
    wrong = Credentials(site.credentials(0).voting, site.keys[1].transport)
    with pytest.raises(KeyFileError, match="do not belong together"):
        Mesh(
            0,
            site.genesis,
            site.genesis.founding,
            wrong,
            deliver=lambda *_: None,
            connected=print,
            lost=print,
        )


def test_the_mesh_runs_on_uvloop_too() -> None:
    async def scenario() -> None:
        site = Site(4, Limits())
        meshes = await site.all_connected()
        meshes[0].broadcast(Batch(BODY), Lane.BATCH)
        meshes[0].broadcast(vote(1), Lane.VOTE)
        for inbox in site.inboxes[1:]:
            await inbox.until(lambda inbox=inbox: len(inbox.frames) == 2)  # type: ignore[misc]  # bound now
        await meshes[2].close()
        await site.inboxes[0].until(lambda: site.inboxes[0].lost == [2])
        await site.start(2, limits=QUICK)
        await site.inboxes[3].until(lambda: site.inboxes[3].connected.count(2) == 2)
        await site.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
