"""``grootboek start``: one replica as a process, from its settings to its last synced byte."""

import asyncio
import base64
import resource
import shutil
import signal
import ssl
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
import uvloop
from prometheus_client import start_http_server

from grootboek import garbage
from grootboek._core import State
from grootboek.api import ApiServer, ApiSettings
from grootboek.disk import FolderLock, RealDisk
from grootboek.errors import ConfigError, GrootboekError, StorageError
from grootboek.ledger import Registry
from grootboek.network.addresses import split_address
from grootboek.network.tls import load_identity, server_context
from grootboek.node import logs
from grootboek.node.config import Settings
from grootboek.node.keyfiles import KeyFiles, own_info
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.node import Node
from grootboek.node.seats import Seats
from grootboek.types import Genesis, ReplicaInfo

__all__ = ["run"]

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter from another: the API must not hold up votes."""

OWN_FILES = 256
"""File descriptors for the replica itself: log, journal, state, peers and their handshakes."""

log = structlog.get_logger("grootboek.daemon")


def run(settings: Settings) -> None:
    """Run one replica until SIGTERM or SIGINT; raises the GrootboekError that ended it."""
    logs.configure(settings.log_format, settings.log_level)
    sys.setswitchinterval(SWITCH_SECONDS)
    genesis = Genesis.load(settings.genesis)
    keys = KeyFiles(settings.key_file, settings.passphrase_file)
    with FolderLock(settings.data):
        try:
            uvloop.run(_serve(settings, genesis, keys, _spare_files()))
        except GrootboekError as error:
            log.error("stopped", code=error.code, reason=str(error), fix=error.fix)  # noqa: TRY400  # no traceback
            raise


def _open_state(path: Path) -> State:
    """The state; where it cannot be read it is put aside and made again from the log."""
    try:
        return State(str(path))
    except OSError as error:
        log.warning("the state cannot be used and is rebuilt from the log", reason=str(error))
        return _fresh_state(path)


def _fresh_state(path: Path) -> State:
    """An empty state in place of the one at ``path``; raises StorageError."""
    try:
        shutil.rmtree(path, ignore_errors=True)
        return State(str(path))
    except OSError as error:
        raise StorageError(str(error), where=str(path)) from error


async def _serve(settings: Settings, genesis: Genesis, keys: KeyFiles, connections: int) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[BaseException | None] = loop.create_future()

    def end(reason: BaseException | None) -> None:
        if not ended.done():
            ended.set_result(reason)

    tls: list[ssl.SSLContext] = []

    def opened(info: ReplicaInfo, present: ReplicaKeys) -> None:
        """New connections of clients see the API key of the epoch that has begun."""
        held = keys.all[0]
        keys.erase_before(present)
        if present != held:
            log.info("keys of the epoch before erased", epoch=present.epoch)
        for context in tls:
            load_identity(context, base64.b64decode(info.api_certificate), present.api)

    node = Node(
        genesis,
        Seats(keys.all, own_info(settings.data, keys.all[0].name), keys.look),
        RealDisk(settings.data),
        _open_state(settings.data / "state"),
        Registry.discover(),
        guard=RealDisk(settings.guard) if settings.guard else None,
        listen=settings.listen,
        source=settings.source,
        fresh=partial(_fresh_state, settings.data / "state"),
        failed=end,
        opened=opened,
    )
    info, present = node.info, node.keys
    await node.start()
    host, port = split_address(settings.api or info.api, "api")
    limits = ApiSettings(host=host, port=port, connections=connections)
    tls.append(server_context(base64.b64decode(info.api_certificate), present.api))
    api = ApiServer(node, limits, tls[0])
    await asyncio.to_thread(api.start)
    if settings.metrics:
        _serve_metrics(settings.metrics, node)
    garbage.settle()
    garbage.give_back()
    log.info("serving", replica=info.name, mesh=settings.listen or info.address, api=f"{host}:{port}")
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, end)
    reason = await ended
    log.info("stopping", reason=str(reason) if reason else "asked to")
    node.drain()
    await asyncio.to_thread(api.stop)
    if reason is not None:
        raise reason
    await node.stop()


def _spare_files() -> int:
    """How many connections clients may have, so that they never use up the file descriptors.

    Asks for as many as the system grants; raises ConfigError where that is too little.
    """
    wanted = ApiSettings().connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    granted = hard if hard != resource.RLIM_INFINITY else max(soft, OWN_FILES + wanted)
    if soft < granted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    if granted < 2 * OWN_FILES:
        raise ConfigError(f"{granted} open files are too few, {2 * OWN_FILES} are needed", where="ulimit -n")
    return min(wanted, granted - OWN_FILES)


def _serve_metrics(address: str, node: Node) -> None:
    host, port = split_address(address, "metrics")
    try:
        start_http_server(port, host, node.registry)
    except OSError as error:
        raise ConfigError(error.strerror or str(error), where=f"{host}:{port}") from error


def _stop(end: Callable[[BaseException | None], None]) -> None:
    """The first signal drains; a second one ends the process at once."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    end(None)
