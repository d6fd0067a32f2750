"""The asynchronous client: typed commands in, proven results out."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from grootboek import plain, webapi
from grootboek._core import SigningKey
from grootboek.client.answers import Result, verify_certificate, verify_receipt
from grootboek.client.commands import Commands
from grootboek.client.drafts import Draft
from grootboek.client.epochs import Follower
from grootboek.client.events import follow
from grootboek.client.latest import Latest, read_status
from grootboek.client.nodes import Node, Nodes
from grootboek.client.sender import Sender
from grootboek.client.transactions import Prepared, prepare
from grootboek.client.verifier import ProvenCheckpoint, ProvenState, Verifier
from grootboek.errors import (
    BadAnswer,
    BadProof,
    ConfigError,
    Expired,
    GrootboekError,
    Unavailable,
)
from grootboek.ledger.module import Module
from grootboek.proofs import Receipt
from grootboek.types import Genesis, Millis, ReplicaInfo
from grootboek.webapi import LedgerEvent, NodeStatus, QueryAnswer
from grootboek.wire import BlockEntry, Certificate, Handover

__all__ = ["AsyncClient"]

T = TypeVar("T")

WINDOW: Final = 4_000
"""How many transactions of ``submit_many`` are under way at once."""


class AsyncClient:
    """Submits commands and reads a ledger through any of its nodes, trusting none of them.

    ::

        async with AsyncClient("genesis.json", key=key) as client:
            result = await client.submit(Anchor(key="file/1", digest=digest))
            result.require().receipt()
    """

    def __init__(
        self,
        genesis: Genesis | Path | str,
        nodes: Sequence[str] = (),
        key: SigningKey | Sequence[SigningKey] = (),
        *,
        timeout: float | None = None,
        modules: Iterable[Module | type[Module]] | None = None,
        connections: int = 64,
        handovers: Iterable[Handover] = (),
    ) -> None:
        """``nodes``: replicas' names or ``host:port`` (default: all). Those that joined, or have other keys,
        since the founding are found by ``async with``, which raises ConfigError for a name that is none.
        ``key``: who signs, the sender first; ``timeout``: seconds for each call (default: until the outcome
        is known); ``modules``: where commands come from (default: all that are installed); ``handovers``:
        those that are known, from the founding epoch on (default: they are asked for). Raises
        BadCertificate for a wrong one.
        """
        self.genesis = genesis if isinstance(genesis, Genesis) else Genesis.load(genesis)
        self.verifier = Verifier(self.genesis)
        self.verifier.epochs.learn(handovers)
        self._keys = (key,) if isinstance(key, SigningKey) else tuple(key)
        self._timeout = timeout
        self._commands = Commands(self.genesis, modules)
        self._nodes = Nodes(self.verifier.epochs.last, nodes, connections=connections)
        self._follower = Follower(self._nodes, self.verifier)
        self._latest = Latest(self._nodes, self.verifier, self._follower)
        self._sender = Sender(self._nodes, self.verifier, self._follower, now_ms)

    async def __aenter__(self) -> Self:
        try:
            await self._follower.find()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close connections; what is under way ends as unknown."""
        await self._sender.close()
        await self._nodes.close()

    # --- submitting ------------------------------------------------------------------------------

    def prepare(
        self, commands: Sequence[Struct], *, atomic: bool = False, expiry: Millis | None = None
    ) -> Prepared:
        """Sign commands as one transaction, without sending it.

        ``atomic``: all take effect or none; ``expiry``: milliseconds since 1970 (default: half of the
        ledger's validity from now). Raises ConfigError, Expired, Oversized.
        """
        if not self._keys:
            raise ConfigError("the client has no key to sign with", where="key")
        until = self._until(expiry, self.genesis.limits.validity_ms // 2)
        return prepare(
            self.genesis.chain,
            self._keys,
            self._encoded(commands),
            expiry=until,
            atomic=atomic,
            limits=self.genesis.limits,
        )

    def draft(
        self,
        commands: Sequence[Struct],
        cosigners: Sequence[bytes],
        *,
        atomic: bool = False,
        expiry: Millis | None = None,
    ) -> Draft:
        """A transaction for others to sign elsewhere, too; the client's own keys have signed it.

        ``cosigners``: their public keys. ``expiry``: milliseconds since 1970; a draft can be sent within the
        ledger's validity before it (default: nine tenths of that validity from now). Raises as ``prepare``.
        """
        own = [key.public for key in self._keys]
        draft = Draft.of(
            self.genesis.chain,
            tuple(dict.fromkeys([*own, *cosigners])),
            self._encoded(commands),
            expiry=self._until(expiry, self.genesis.limits.validity_ms * 9 // 10),
            atomic=atomic,
            limits=self.genesis.limits,
        )
        for key in self._keys:
            draft = draft.signed(self.genesis.chain, key)
        return draft

    def _encoded(self, commands: Sequence[Struct]) -> list[bytes]:
        return [self._commands.encode(command) for command in commands]

    def _until(self, expiry: Millis | None, usual: Millis) -> Millis:
        """``expiry``, by default ``usual`` from now."""
        now = now_ms()
        if expiry is not None and expiry <= now:
            raise Expired("the expiry has passed already", where="expiry")
        return now + usual if expiry is None else expiry

    async def submit(self, *commands: Struct, atomic: bool = False, expiry: Millis | None = None) -> Result:
        """Submit commands as one transaction and wait until its outcome is proven.

        Raises a TransactionError where it is refused, Unavailable where the outcome is unknown as
        yet: then submit the same *bytes* again (``prepare``, ``send_prepared``), which is safe.
        """
        prepared = self.prepare(commands, atomic=atomic, expiry=expiry)
        return await self._within(self._sender.send(prepared))

    async def submit_many(
        self, commands: Iterable[Struct | Sequence[Struct]], *, atomic: bool = False
    ) -> AsyncGenerator[Result | GrootboekError, None]:
        """One transaction for each item, many under way at once; yields the outcomes in order.

        A transaction that fails yields its error, and the others go on. What has not been sent yet
        when the caller stops asking is not sent any more.
        """
        now = asyncio.get_running_loop().time
        window: deque[tuple[float, asyncio.Future[Result]]] = deque()
        try:
            for item in commands:
                if len(window) == WINDOW:
                    yield await self._outcome(*window.popleft())
                group = (item,) if isinstance(item, Struct) else item
                window.append((now(), self._begin(group, atomic=atomic)))
            while window:
                yield await self._outcome(*window.popleft())
        finally:
            for _, left in window:
                left.cancel()

    def _begin(self, commands: Sequence[Struct], *, atomic: bool) -> "asyncio.Future[Result]":
        """The outcome of a new transaction; a future that has failed where it cannot be made."""
        try:
            return self._sender.send(self.prepare(commands, atomic=atomic))
        except GrootboekError as error:
            failed: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            failed.exception()  # the caller may stop before it comes to this one
            return failed

    async def _outcome(self, since: float, done: "asyncio.Future[Result]") -> Result | GrootboekError:
        try:
            return await self._within(done, since)
        except GrootboekError as error:
            return error

    async def send_prepared(self, prepared: Sequence[Prepared]) -> list[Result]:
        """Submit prepared transactions; the results come in their order. Raises as ``submit``."""
        return await self._within(asyncio.gather(*map(self._sender.send, prepared)))

    async def _within(self, work: Awaitable[T], since: float | None = None) -> T:
        """The result of ``work``, which began at loop time ``since`` (default: now)."""
        passed = 0.0 if since is None else asyncio.get_running_loop().time() - since
        left = None if self._timeout is None else max(0.0, self._timeout - passed)
        try:
            return await asyncio.wait_for(work, left)
        except TimeoutError as error:
            raise Unavailable(f"nothing was proven in {self._timeout} s") from error

    # --- proven reads ----------------------------------------------------------------------------

    async def receipt(self, transaction: bytes) -> Receipt:
        """A transaction's receipt, verified. Raises NotFound, Unavailable, ProofError."""
        path = f"/v1/transactions/{transaction.hex()}"
        return await self._read(
            path, lambda data: verify_receipt(self.verifier, transaction, data), webapi.MSGPACK
        )

    async def get_state(self, module: str, key: bytes, *, as_of: int | str | None = None) -> ProvenState:
        """The value, or the absence, of a key of a module's state, verified.

        ``as_of``: a height, or a time as ISO 8601: then the block is not later than that, and that it is
        the last such block is the node's word. Raises NotFound, Pruned, Unavailable, ProofError.
        """

        def check(data: bytes) -> ProvenState:
            proven = self.verifier.verify_state_proof(data)
            if (proven.module, proven.key) != (module, key):
                raise BadProof("the proof is of another key")
            if as_of is not None and not _is_as_of(proven, str(as_of)):
                raise BadProof("the proof is of another height or time")
            return proven

        path = f"/v1/state/{quote(module, safe='')}/{key.hex()}" + _parameters(
            {"proof": "true", "as_of": as_of}
        )
        return await self._read(path, check, webapi.MSGPACK)

    async def latest_height(self) -> int:
        """A certified height at which the state has all that anybody, at any node, was told before this call.

        What is read ``as_of`` it is linearizable, and several keys read there are as they were at one moment.
        A quorum of the replicas is asked. 0: there is no block yet. Raises Unavailable, and ConfigError where
        ``nodes`` names too few replicas.
        """
        return await self._within(self._latest.height())

    async def certificate(self) -> tuple[Certificate, BlockEntry]:
        """A node's newest stable checkpoint and the block it ends with, verified."""
        check = partial(verify_certificate, self.verifier)
        return await self._read("/v1/certificate", check, webapi.MSGPACK)

    async def checkpoint(self) -> ProvenCheckpoint:
        """A node's checkpoint note, verified."""
        return await self._read("/checkpoint", self.verifier.verify_note, webapi.PROOF)

    # --- unproven reads --------------------------------------------------------------------------

    async def query(
        self, module: str, name: str, *, as_of: int | str | None = None, **arguments: Any
    ) -> QueryAnswer:
        """Ask a module; the result is plain values, one node's word without a proof.

        Bytes in ``arguments`` and results are lower-case hex.
        """
        values = {key: plain.to_plain(value) for key, value in arguments.items()}
        path = f"/v1/query/{quote(module, safe='')}/{quote(name, safe='')}" + _parameters(
            values | {"as_of": as_of}
        )
        return await self._read(path, lambda data: msgspec.json.decode(data, type=QueryAnswer))

    async def query_as(
        self, result: type[T], module: str, name: str, *, as_of: int | str | None = None, **arguments: Any
    ) -> T:
        """``query``, with its result as a value of the module's own type."""
        answer = await self.query(module, name, as_of=as_of, **arguments)
        try:
            return plain.from_plain(result, answer.result)  # type: ignore[no-any-return]  # a T by its contract
        except msgspec.ValidationError as error:
            raise BadAnswer(str(error), where=f"{module}/{name}") from error

    async def status(self) -> dict[str, NodeStatus | GrootboekError]:
        """Where each node says that it is; an error for a node that does not answer.

        Where one says that it is in a later epoch and can prove it, that epoch's replicas are asked.
        """
        while True:
            nodes = self._nodes.all
            answers = await asyncio.gather(*map(self._status, nodes))
            found = zip(nodes, answers, strict=True)
            if not any([await self._ahead(node, answer) for node, answer in found]):
                return {node.name: answer for node, answer in zip(nodes, answers, strict=True)}

    async def _ahead(self, node: Node, answer: NodeStatus | GrootboekError) -> bool:
        """Whether a node was in an epoch that is known only now."""
        known = self.verifier.epochs.last.number
        if not isinstance(answer, NodeStatus) or answer.epoch <= known:
            return False
        return await self._follower.learn(node)

    async def status_of(self, replica: ReplicaInfo) -> NodeStatus:
        """Where this replica says that it is, whether an epoch names it or not. Raises Unavailable."""
        node = Node(replica.name, f"https://{replica.api}", [replica.api_certificate])
        answer = await self._status(node)
        if isinstance(answer, GrootboekError):
            raise answer
        return answer

    async def _status(self, node: Node) -> NodeStatus | GrootboekError:
        try:
            return await self._within(self._follower.ask(node, "/v1/status", read_status))
        except GrootboekError as error:
            return error

    async def events(self, cursor: str = "", *, module: str = "") -> AsyncGenerator[LedgerEvent, None]:
        """Every event after ``cursor`` (from the start where it is empty), each once and in order.

        Never ends: it waits for new blocks, and goes on at another node where one fails. Keep the
        last event's ``cursor`` to resume. One node's word, without a proof.
        """
        async with contextlib.aclosing(follow(self._nodes, cursor, module)) as events:
            async for event in events:
                yield event

    # --- one read --------------------------------------------------------------------------------

    async def _read(self, path: str, check: Callable[[bytes], T], accept: str = webapi.JSON) -> T:
        """The first good answer; each node is asked once, whatever another one says."""
        return await self._within(self._first(path, check, accept))

    async def _first(self, path: str, check: Callable[[bytes], T], accept: str) -> T:
        last: GrootboekError = Unavailable()
        asked: list[str] = []
        for _ in self._nodes.all:
            node = self._nodes.pick(asyncio.get_running_loop().time(), asked)
            asked.append(node.name)
            try:
                return await self._follower.ask(node, path, check, accept)
            except GrootboekError as error:
                last = error if isinstance(last, Unavailable) else last
        raise last


def now_ms() -> int:
    """Milliseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000_000


def _is_as_of(proven: ProvenState, as_of: str) -> bool:
    """Whether the block can be the one that ``as_of`` names."""
    if as_of.isascii() and as_of.isdecimal():
        return proven.height == int(as_of)
    try:
        return proven.time <= datetime.fromisoformat(as_of).timestamp() * 1_000
    except ValueError:
        return False


def _parameters(values: dict[str, Any]) -> str:
    pairs = [(key, value) for key, value in values.items() if value is not None]
    return "?" + urlencode([(key, _text(value)) for key, value in pairs], doseq=True) if pairs else ""


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return msgspec.json.encode(value)
    return value
