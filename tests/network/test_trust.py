"""Whoever is not exactly the replica that it claims to be is refused, with the reason in the log."""

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from unittest import mock

import msgspec
import pytest

from grootboek.network import Lane, MeshLimits
from grootboek.network.framing import encode_frame
from grootboek.network.handshake import ACCEPTED, Roll
from grootboek.network.tls import client_context, mesh_contexts, server_context
from grootboek.node import certificates
from grootboek.node.certificates import self_signed
from grootboek.types import Limits
from grootboek.wire import Batch, Hello, HelloProof, Status
from tests.network.rogue import Rogue, framed, raw_connection, reasons
from tests.network.sites import QUICK, Site

NewSite = Callable[..., Site]
VOTE = Status(view=1, active=True, executed=0, stable=None)
STRANGER = bytes(range(32))


async def without_certificate(rogue: Rogue) -> None:
    rogue.context = client_context(rogue.roll.certificates)
    await rogue.connect()


async def unknown_certificate(rogue: Rogue) -> None:
    certificate = self_signed(STRANGER, "replica-1")
    rogue.context = mesh_contexts(certificate, STRANGER, rogue.roll.certificates)[1]
    await rogue.connect()


async def certificate_of_the_replica_itself(rogue: Rogue) -> None:
    own = rogue.roll.certificates[0]
    rogue.context = mesh_contexts(own, rogue.site.keys[0].transport, rogue.roll.certificates)[1]
    await rogue.connect()


async def old_tls(rogue: Rogue) -> None:
    assert rogue.context is not None
    rogue.context.minimum_version = ssl.TLSVersion.TLSv1_2
    rogue.context.maximum_version = ssl.TLSVersion.TLSv1_2
    await rogue.connect()


async def no_tls(rogue: Rogue) -> None:
    rogue.context = None
    await rogue.connect()
    rogue.send_bytes(b"GET / HTTP/1.1\r\n\r\n")


async def hello_changed(rogue: Rogue, **fields: object) -> None:
    await rogue.connect()
    hello = rogue.handshake().hello
    rogue.send(msgspec.structs.replace(hello, **fields))


async def other_version(rogue: Rogue) -> None:
    await hello_changed(rogue, version=2)


async def other_chain(rogue: Rogue) -> None:
    await hello_changed(rogue, chain=bytes(32))


async def other_epoch(rogue: Rogue) -> None:
    await rogue.connect()
    handshake = rogue.handshake()
    rogue.send(msgspec.structs.replace(handshake.hello, epoch=1))
    proof = handshake.receive(await rogue.read())
    assert proof is not None
    rogue.send(proof)


async def other_replica(rogue: Rogue) -> None:
    await hello_changed(rogue, replica=2)


async def wrong_voting_key(rogue: Rogue) -> None:
    await rogue.connect()
    await rogue.prove(rogue.handshake(voting=2))


async def swapped_role(rogue: Rogue) -> None:
    await rogue.connect()
    await rogue.prove(rogue.handshake(role=ACCEPTED))


async def reflected_hello(rogue: Rogue) -> None:
    await rogue.connect()
    rogue.send(await rogue.read())


async def replayed_proof(rogue: Rogue) -> None:
    honest = Rogue(rogue.site)
    await honest.connect()
    handshake = honest.handshake(nonce=bytes([7]) * 32)
    proof = await honest.prove(handshake)
    assert isinstance(await honest.read(), HelloProof)
    await honest.close()
    await rogue.site.inboxes[0].until(lambda: rogue.site.inboxes[0].lost == [1])
    await rogue.connect()
    rogue.send(handshake.hello)
    rogue.send(proof)


async def vote_before_hello(rogue: Rogue) -> None:
    await rogue.connect()
    rogue.send(VOTE)


async def garbage(rogue: Rogue) -> None:
    await rogue.connect()
    rogue.send_bytes(framed(b"\xc1garbage"))


async def padded_hello(rogue: Rogue) -> None:
    await rogue.connect()
    rogue.send_bytes(framed(bytes(encode_frame(rogue.handshake().hello)[4:]) + b"\x00"))


async def large_frame_before_hello(rogue: Rogue) -> None:
    await rogue.connect()
    rogue.send_bytes((1_025).to_bytes(4, "big"))


async def empty_frame(rogue: Rogue) -> None:
    await rogue.connect()
    rogue.send_bytes(bytes(4))


async def silent_after_tls(rogue: Rogue) -> None:
    await rogue.connect()


async def half_a_hello(rogue: Rogue) -> None:
    await rogue.connect()
    rogue.send_bytes(bytes(encode_frame(rogue.handshake().hello)[:20]))


async def hello_without_proof(rogue: Rogue) -> None:
    await rogue.connect()
    rogue.send(rogue.handshake().hello)


async def truncated(rogue: Rogue) -> None:
    await half_a_hello(rogue)
    await rogue.close()


LATE = "the handshake took too long"
REFUSED: list[tuple[Callable[[Rogue], Awaitable[None]], str]] = [
    (without_certificate, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
    (unknown_certificate, "CERTIFICATE_VERIFY_FAILED"),
    (certificate_of_the_replica_itself, "CERTIFICATE_VERIFY_FAILED"),
    (old_tls, "UNSUPPORTED_PROTOCOL"),
    (no_tls, "HTTP_REQUEST"),
    (other_version, "GB-2003 version 2"),
    (other_chain, "GB-2003 chain"),
    (other_epoch, "GB-2003 the proof"),
    (other_replica, "GB-2003 replica 2"),
    (wrong_voting_key, "GB-2003 the proof is not by the voting key"),
    (swapped_role, "GB-2003 the proof is not by the voting key"),
    (reflected_hello, "GB-2003 replica 0"),
    (replayed_proof, "GB-2003 the proof is not by the voting key"),
    (vote_before_hello, "GB-2003 Status came before the handshake was over"),
    (garbage, "GB-2001"),
    (padded_hello, "GB-2001"),
    (large_frame_before_hello, "GB-2002 1025 bytes"),
    (empty_frame, "GB-2001 the frame is empty"),
    (silent_after_tls, LATE),
    (half_a_hello, LATE),
    (hello_without_proof, LATE),
    (truncated, "closed by the peer"),
]


@pytest.mark.parametrize(("attack", "reason"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
async def test_refused(new_site: NewSite, attack: Callable[[Rogue], Awaitable[None]], reason: str) -> None:
    site = new_site(3)
    mesh = await site.start(0, limits=MeshLimits(handshake_seconds=0.3 if reason == LATE else 5))
    before = 1 if attack is replayed_proof else 0
    rogue = Rogue(site)
    with reasons() as found:
        try:
            await attack(rogue)
            await rogue.until_closed()
            await rogue.close()
        except (ssl.SSLError, ConnectionError):
            pass  # refused so early that our own side of TLS fails
        await _until_idle(mesh._handshakes)
    assert site.inboxes[0].connected == [1] * before
    assert any(reason in text for text in found), found
    await site.start(1)  # and an honest replica still gets in
    await site.inboxes[0].until(lambda: site.inboxes[0].connected == [1] * (before + 1))


async def _until_idle(tasks: dict[asyncio.Task[None], None]) -> None:
    while tasks:
        await asyncio.wait(list(tasks))
        await asyncio.sleep(0)


async def test_an_honest_handshake_of_the_same_tools_is_accepted(new_site: NewSite) -> None:
    site = new_site(3)
    mesh = await site.start(0)
    rogue = Rogue(site)
    await rogue.connect()
    await rogue.prove(rogue.handshake())
    await site.inboxes[0].until(lambda: site.inboxes[0].connected == [1])
    rogue.send(VOTE)
    await site.inboxes[0].until(lambda: site.inboxes[0].frames == [(1, VOTE)])
    mesh.send(1, Batch(b"body"), Lane.BATCH)
    assert isinstance(await rogue.read(), HelloProof)
    assert await rogue.read() == Batch(b"body")
    await rogue.close()


async def test_a_newer_connection_replaces_an_older_one(new_site: NewSite) -> None:
    site = new_site(2)
    mesh = await site.start(0)
    older, newer = Rogue(site), Rogue(site)
    for rogue in (older, newer):
        await rogue.connect()
        await rogue.prove(rogue.handshake())
        assert isinstance(await rogue.read(), HelloProof)
    await older.until_closed()
    inbox = site.inboxes[0]
    assert (inbox.connected, inbox.lost, mesh.peers) == ([1, 1], [1], [1])
    newer.send(VOTE)
    await inbox.until(lambda: inbox.frames == [(1, VOTE)])
    await older.close()
    await newer.close()
    await inbox.until(lambda: inbox.lost == [1, 1])


AFTER: list[tuple[str, bytes, str]] = [
    ("oversize", (4_097).to_bytes(4, "big"), "GB-2002 4097 bytes"),
    ("oversize to the last byte", b"\xff" * 4, "GB-2002"),
    ("empty", bytes(4), "GB-2001"),
    ("garbage", framed(b"\xc1"), "GB-2001"),
    ("no frame", framed(msgspec.msgpack.encode({"a": 1})), "GB-2001"),
    ("deep", framed(b"\x91" * 4_000), "GB-2001"),
    ("long array", framed(b"\xdd\xff\xff\xff\xff"), "GB-2001"),
    ("long bytes", framed(b"\x92\x08\xc6\xff\xff\xff\xff"), "GB-2001"),
    ("stalled", (4_096).to_bytes(4, "big") + b"x", "a frame took more than 0.2 s"),
    ("stalled in the length", b"\x00", "a frame took more than 0.2 s"),
]


@pytest.mark.parametrize(("data", "reason"), [row[1:] for row in AFTER], ids=[row[0] for row in AFTER])
async def test_bad_bytes_of_a_proven_peer_close_its_connection_only(
    new_site: NewSite, data: bytes, reason: str
) -> None:
    site = new_site(3, Limits(frame_bytes=4_096))
    await site.start(0, limits=MeshLimits(frame_seconds=0.2))
    await site.start(2)
    inbox = site.inboxes[0]
    await inbox.until(lambda: inbox.connected == [2])
    rogue = Rogue(site)
    await rogue.connect()
    await rogue.prove(rogue.handshake())
    with reasons() as found:
        rogue.send(VOTE)
        rogue.send_bytes(data)
        await rogue.until_closed()
    await inbox.until(lambda: inbox.lost == [1])
    assert inbox.frames == [(1, VOTE)]
    assert any(text.startswith(reason) for text in found), found
    await rogue.close()


async def test_connections_that_prove_nothing_make_room_for_new_ones(new_site: NewSite) -> None:
    site = new_site(2)
    mesh = await site.start(0, limits=MeshLimits(handshakes=4, handshake_seconds=60))
    idle = [raw_connection(site) for _ in range(20)]
    await site.start(1)
    await site.inboxes[0].until(lambda: site.inboxes[0].connected == [1])
    assert len(mesh._handshakes) <= 4
    for sock in idle:
        sock.close()


async def _impostor(site: Site, certificate: bytes, seed: bytes) -> asyncio.Server:
    """Listens where replica 0 should."""
    context = server_context(certificate, seed)
    context.verify_mode = ssl.CERT_NONE
    port = int(site.genesis.replicas[0].address.split(":")[1])

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_frame(Hello(1, site.genesis.chain.digest, 0, 0, bytes(32))))

    return await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)


@pytest.mark.parametrize("who", ["stranger", "replica-2"])
async def test_a_dialler_refuses_an_impostor(new_site: NewSite, who: str) -> None:
    site = new_site(3)
    certificate, seed = self_signed(STRANGER, "replica-0"), STRANGER
    expected = "CERTIFICATE_VERIFY_FAILED"
    if who == "replica-2":
        certificate, seed = (
            Roll(site.genesis.chain, site.genesis.founding).certificates[2],
            site.keys[2].transport,
        )
        expected = "the certificate is that of replica-2"
    server = await _impostor(site, certificate, seed)
    refused = asyncio.Event()
    with reasons(expected, refused):
        await site.start(1, limits=QUICK)
        await asyncio.wait_for(refused.wait(), 30)
    assert site.inboxes[1].connected == []
    server.close()
    await site.close()
    await server.wait_closed()


async def test_an_expired_certificate_is_refused(new_site: NewSite) -> None:
    site = new_site(2)
    with mock.patch.object(certificates, "NOT_AFTER", datetime(2021, 1, 1, tzinfo=UTC)):
        expired = self_signed(site.keys[1].transport, "replica-1")
    first, second = site.genesis.replicas
    second = msgspec.structs.replace(second, transport_certificate=base64.b64encode(expired).decode())
    genesis = msgspec.structs.replace(site.genesis, replicas=(first, second))
    mesh = await site.start(0, genesis=genesis)
    site.genesis = genesis
    rogue = Rogue(site)
    with reasons() as found:
        await rogue.connect()
        await rogue.until_closed()
        await _until_idle(mesh._handshakes)
    assert any("CERTIFICATE_VERIFY_FAILED" in text for text in found), found
    await rogue.close()
