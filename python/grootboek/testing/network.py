"""Four replicas in the test's own process: real TLS, real consensus, real receipts; disks in memory."""

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from grootboek._core import SigningKey, State
from grootboek.api import ApiServer, ApiSettings
from grootboek.client import AsyncClient
from grootboek.errors import ConfigError
from grootboek.ledger import Module, Registry
from grootboek.network.addresses import split_address
from grootboek.network.tls import server_context
from grootboek.node.journal import Journal
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.localnet import free_ports
from grootboek.node.node import Node
from grootboek.simulation.disk import SimulatedDisk
from grootboek.types import Genesis, Limits, Party

__all__ = ["Network", "network"]


class Network:
    """A running network: its genesis file, its nodes and a key for each role of its modules."""

    def __init__(
        self,
        genesis: Genesis,
        nodes: list[Node],
        roles: dict[str, SigningKey],
        modules: Sequence[type[Module]],
    ) -> None:
        self.genesis = genesis
        self._modules = modules
        self.nodes = nodes
        self.keys = roles
        """Role (``tax.authority``) -> the key of a party that holds it."""

    def client(self, signer: str | SigningKey | None = None) -> AsyncClient:
        """A client that signs with a key, with that of a role, or with a new key of no party.

        Use it as ``async with network.client("tax.authority") as client``. Raises ConfigError.
        """
        if isinstance(signer, str) and signer not in self.keys:
            raise ConfigError(f"no such role; there are {', '.join(sorted(self.keys))}", where=signer)
        key = self.keys[signer] if isinstance(signer, str) else signer or new_key()
        return AsyncClient(self.genesis, key=key, modules=self._modules)


def new_key() -> SigningKey:
    """A key of no party."""
    return SigningKey(secrets.token_bytes(32))


@asynccontextmanager
async def network(
    replicas: int = 4, *, modules: Iterable[type[Module]] | None = None, limits: Limits | None = None
) -> AsyncIterator[Network]:
    """Run ``replicas`` nodes on the current event loop until the block ends.

    ``modules``: which to activate (default: all that are installed). For each of their roles there
    is a party with one key.
    """
    registry = Registry.discover() if modules is None else Registry.of(*modules)
    active = [registry.load(name) for name in registry.names]
    keys = {role: new_key() for role in sorted({role for module in active for role in module.roles})}
    private = [ReplicaKeys.generate(f"replica-{i}") for i in range(replicas)]
    genesis = _found(private, {module.name: module.version for module in active}, keys, limits)
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(error: BaseException) -> None:
        if not failed.done():
            failed.set_exception(error)

    async with AsyncExitStack() as stack:
        nodes = [Node(genesis, one, _new_disk(), State(), registry, failed=fail) for one in private]
        for node, one in zip(nodes, private, strict=True):
            await node.start()
            stack.push_async_callback(node.stop)
            await _serve(node, one, stack)
        yield Network(genesis, nodes, keys, active)
    if failed.done():
        failed.result()


def _new_disk() -> SimulatedDisk:
    disk = SimulatedDisk()
    Journal.found(disk)
    return disk


def _found(
    private: list[ReplicaKeys], modules: dict[str, int], roles: dict[str, SigningKey], limits: Limits | None
) -> Genesis:
    ports = free_ports(2 * len(private))
    addresses = [f"127.0.0.1:{port}" for port in ports]
    genesis = Genesis(
        name="testing.invalid/ledger",
        time=time.time_ns() // 1_000_000,
        limits=limits or Limits(),
        modules=modules,
        replicas=tuple(one.public(addresses[2 * i], addresses[2 * i + 1]) for i, one in enumerate(private)),
        parties=tuple(
            Party(id=secrets.token_hex(16), keys=(key.public.hex(),), roles=(role,))
            for role, key in roles.items()
        ),
    )
    genesis.check()
    return genesis


async def _serve(node: Node, keys: ReplicaKeys, stack: AsyncExitStack) -> None:
    info = node.genesis.replicas[node.me]
    host, port = split_address(info.api, "api")
    tls = server_context(base64.b64decode(info.api_certificate), keys.api)
    api = ApiServer(node, ApiSettings(host=host, port=port), tls)
    await asyncio.to_thread(api.start)
    stack.push_async_callback(asyncio.to_thread, api.stop)
