"""``grootboek start``: one replica as a process, from its settings to its last synced byte."""

import asyncio
import base64
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
import uvloop
from prometheus_client import start_http_server

from grootboek._core import State
from grootboek.api import ApiServer, ApiSettings
from grootboek.disk import FolderLock, RealDisk
from grootboek.errors import GrootboekError, StorageError
from grootboek.ledger import Registry
from grootboek.network.addresses import split_address
from grootboek.network.tls import server_context
from grootboek.node import keystore, logs
from grootboek.node.config import Settings
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.node import Node
from grootboek.types import Genesis

__all__ = ["run"]

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter from another: the API must not hold up votes."""

log = structlog.get_logger("grootboek.daemon")


def run(settings: Settings) -> None:
    """Run one replica until SIGTERM or SIGINT; raises the GrootboekError that ended it."""
    logs.configure(settings.log_format, settings.log_level)
    sys.setswitchinterval(SWITCH_SECONDS)
    genesis = Genesis.load(settings.genesis)
    keys = keystore.unlock(settings.key_file, settings.passphrase_file, ReplicaKeys)
    with FolderLock(settings.data):
        try:
            uvloop.run(_serve(settings, genesis, keys))
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


async def _serve(settings: Settings, genesis: Genesis, keys: ReplicaKeys) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[BaseException | None] = loop.create_future()

    def end(reason: BaseException | None) -> None:
        if not ended.done():
            ended.set_result(reason)

    node = Node(
        genesis,
        keys,
        RealDisk(settings.data),
        _open_state(settings.data / "state"),
        Registry.discover(),
        listen=settings.listen,
        fresh=partial(_fresh_state, settings.data / "state"),
        failed=end,
    )
    info = genesis.replicas[node.me]
    await node.start()
    host, port = split_address(settings.api or info.api, "api")
    certificate = base64.b64decode(info.api_certificate)
    api = ApiServer(node, ApiSettings(host=host, port=port), server_context(certificate, keys.api))
    await asyncio.to_thread(api.start)
    if settings.metrics:
        metrics_host, metrics_port = split_address(settings.metrics, "metrics")
        start_http_server(metrics_port, metrics_host, node.registry)
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


def _stop(end: Callable[[BaseException | None], None]) -> None:
    """The first signal drains; a second one ends the process at once."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    end(None)
