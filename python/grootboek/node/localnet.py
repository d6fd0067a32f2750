"""A ledger of several replicas on one machine: its files, and its daemons.

``create`` writes what organisations of a real ledger make each for themselves: keys, settings and
the genesis file that all of them share; ``Localnet.join`` the same for a replica that comes later.
``Localnet`` starts, stops and kills the daemons, which are
ordinary processes: ``python -m grootboek.cli start --config D/replica-K/config.toml``.
"""

import contextlib
import http.client
import itertools
import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from grootboek import wire
from grootboek.disk import RealDisk
from grootboek.errors import BadCertificate, BadFrame, ConfigError, Unavailable
from grootboek.ledger.epochs import Epochs, name_of
from grootboek.ledger.registry import Registry
from grootboek.network.addresses import split_address
from grootboek.network.tls import client_context
from grootboek.node.journal import Journal
from grootboek.node.keyfiles import own_info
from grootboek.node.keystore import (
    BESIDE,
    GENERATED,
    Identity,
    ReplicaKeys,
    new_passphrase,
    save,
    write_private,
)
from grootboek.types import Genesis, Limits, Party, ReplicaInfo

__all__ = ["CLIENT", "Localnet", "Process", "create", "free_ports", "identity_name"]

CLIENT: Final = "client"
"""The identity without a role: for commands that anybody may give."""
PARTY_BYTES: Final = 16
PORTS: Final = range(20_000, 30_000)
"""Where free ports are looked for: below those that the kernel gives to outgoing connections, so
that none of these takes a replica's port while it is down."""
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.02
HEALTH_SECONDS: Final = 2.0
LOG_TAIL_BYTES: Final = 2_000


def create(
    folder: Path,
    replicas: int = 4,
    modules: Sequence[str] | None = None,
    *,
    name: str = "localnet/demo",
    base_port: int | None = None,
    limits: Limits | None = None,
    registry: Registry | None = None,
) -> Genesis:
    """Write ``folder/genesis.json``, ``folder/replica-K/`` and ``folder/keys/NAME``.

    ``modules``: which to activate, by default all that are installed. For each role of each module
    there is an identity of that name (``tax.authority``: ``keys/tax-authority``), and one without
    roles. ``base_port``: the first of two ports for each replica; by default free ones are chosen.
    The passphrases are random and lie beside the keys. Raises ConfigError where the folder holds a
    ledger already, GenesisError for an unknown module.
    """
    if (folder / "genesis.json").exists():
        raise ConfigError("there is a ledger already; nothing was changed", where=str(folder))
    registry = registry or Registry.discover()
    active = [registry.load(module) for module in (registry.names if modules is None else modules)]
    ports = _ports(2 * replicas, base_port)
    keys = [ReplicaKeys.generate(f"replica-{k}") for k in range(replicas)]
    identities = _identities(sorted({role for module in active for role in module.roles}))
    genesis = Genesis(
        name=name,
        time=time.time_ns() // 1_000_000,
        limits=limits or Limits(),
        modules={module.name: module.version for module in active},
        replicas=tuple(
            one.public(f"127.0.0.1:{ports[2 * k]}", f"127.0.0.1:{ports[2 * k + 1]}")
            for k, one in enumerate(keys)
        ),
        parties=tuple(
            Party(id=secrets.token_hex(PARTY_BYTES), keys=(one.key.public.hex(),), roles=roles)
            for one, roles in identities
        ),
    )
    genesis.check()
    _write_identities(folder / "keys", [one for one, _ in identities])
    for one, public in zip(keys, genesis.replicas, strict=True):
        _write_replica(folder / one.name, one, public)
    (folder / "grootboek.toml").write_text('[client]\ngenesis = "genesis.json"\n', encoding="utf-8")
    (folder / "genesis.json").write_bytes(genesis.to_json())
    return genesis


def _ports(count: int, base: int | None) -> list[int]:
    return free_ports(count) if base is None else list(range(base, base + count))


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now, all different; raises ConfigError where there are none."""
    start = secrets.randbelow(len(PORTS))
    found: list[int] = []
    for port in (*PORTS[start:], *PORTS[:start]):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise ConfigError(f"there are no {count} free ports from {PORTS.start} to {PORTS.stop}")


def identity_name(role: str) -> str:
    """The identity that holds a role, and its file in the network's folder ``keys``."""
    return role.replace(".", "-")


def _identities(roles: Iterable[str]) -> list[tuple[Identity, tuple[str, ...]]]:
    """One identity without a role, and one for each role; nothing is written yet."""
    named: list[tuple[str, tuple[str, ...]]] = [(CLIENT, ())]
    named += [(identity_name(role), (role,)) for role in roles]
    return [(Identity.generate(name), held) for name, held in named]


def _write_identities(folder: Path, identities: Iterable[Identity]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    passphrase = _write_passphrase(folder)
    for identity in identities:
        save(folder / identity.name, identity, passphrase, GENERATED)


def _write_replica(folder: Path, keys: ReplicaKeys, public: ReplicaInfo) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    save(folder / "keys", keys, _write_passphrase(folder), GENERATED)
    Journal.found(RealDisk(folder))
    settings = f'data = "."\ngenesis = "../genesis.json"\nreplica = "{keys.name}"\n'
    (folder / "config.toml").write_text(settings, encoding="utf-8")
    half = msgspec.json.format(msgspec.json.encode(public), indent=2) + b"\n"
    (folder / f"{keys.name}.json").write_bytes(half)


def _write_passphrase(folder: Path) -> bytes:
    passphrase = new_passphrase()
    try:
        write_private(folder / BESIDE, passphrase + b"\n")
    except OSError as error:
        raise ConfigError(error.strerror or str(error), where=str(folder / BESIDE)) from error
    return passphrase


class Process(Struct, frozen=True):
    """What is known of one daemon."""

    name: str
    pid: int | None
    """None where it does not run."""
    api: str
    reasons: tuple[str, ...]
    """Why it is not ready; empty where it is."""

    @property
    def ready(self) -> bool:
        """Whether it takes part and answers clients."""
        return not self.reasons


class Localnet:
    """The daemons of a folder that ``create`` wrote. Calls block.

    A replica is known by its number, the K of its folder ``replica-K``: in the founding epoch that is its
    index. What the hand-overs in the data directories say is followed, call by call.
    """

    def __init__(self, folder: Path) -> None:
        """Raises GenesisError where there is no ledger."""
        self.folder = folder
        self.genesis = Genesis.load(folder / "genesis.json")
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._epochs = Epochs(self.genesis)
        self._contexts: dict[str, ssl.SSLContext] = {}

    def start(self, which: Iterable[int] | None = None, timeout: float = START_SECONDS) -> None:
        """Start those that do not run, and wait until they are ready; raises Unavailable."""
        chosen = self._chosen(which)
        self.launch(chosen)
        self.wait_ready(chosen, timeout)

    def launch(self, which: Iterable[int]) -> None:
        """Start those that do not run, and do not wait."""
        for k in which:
            if self.pid(k) is None:
                self._spawn(k)

    def stop(self, which: Iterable[int] | None = None, timeout: float = STOP_SECONDS) -> None:
        """Let them drain and end (SIGTERM); whoever takes longer than ``timeout`` seconds is killed."""
        chosen = list(range(self.count) if which is None else which)
        for k in chosen:
            self._signal(k, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        for k in chosen:
            if not self._wait_gone(k, deadline):
                self.kill(k)

    def kill(self, k: int) -> None:
        """End one at once (SIGKILL), as a power cut of its machine would."""
        self._signal(k, signal.SIGKILL)
        if not self._wait_gone(k, time.monotonic() + STOP_SECONDS):
            raise Unavailable("the process does not end", where=self._name(k))

    def status(self) -> list[Process]:
        """All daemons of the present epoch, and those that run beside it."""
        members = self.members
        found = [(k, self.pid(k)) for k in range(self.count)]
        return [
            Process(self._name(k), pid, self.info(k).api, tuple(self._reasons(k)))
            for k, pid in found
            if k in members or pid is not None
        ]

    # --- who belongs to it -----------------------------------------------------------------------

    @property
    def epochs(self) -> Epochs:
        """Those that any of the data directories knows."""
        while any(self._follow(k) for k in range(self.count)):
            pass
        return self._epochs

    def _follow(self, k: int) -> bool:
        """Follow the next hand-over, where a replica's data directory has it."""
        path = self.replica_folder(k) / name_of(len(self._epochs.all))
        try:
            self._epochs.add(wire.decode(wire.handovers, path.read_bytes()))
        except (OSError, BadFrame, BadCertificate):
            return False  # that replica's daemon and ``grootboek verify`` say what is wrong with it
        return True

    @property
    def members(self) -> list[int]:
        """The numbers of those that run the present epoch."""
        last = self.epochs.last
        return [k for k in range(self.count) if last.index(self._name(k)) is not None]

    @property
    def count(self) -> int:
        """How many there are, with those that have left or observe: their numbers are below it."""
        founded = len(self.genesis.replicas)
        return next(k for k in itertools.count(founded) if not (self.replica_folder(k) / "keys").exists())

    def info(self, k: int) -> ReplicaInfo:
        """How a replica presents itself now, or presented itself last."""
        return self._infos(k)[-1]

    def join(self) -> int:
        """Write the folder of one more replica: its number. It observes until an epoch names it.

        Where the last one has never belonged to an epoch, it is that.
        """
        k = self.count
        if all(epoch.index(self._name(k - 1)) is None for epoch in self.epochs.all):
            return k - 1
        keys = ReplicaKeys.generate(self._name(k))
        mesh, api = free_ports(2)
        _write_replica(self.replica_folder(k), keys, keys.public(f"127.0.0.1:{mesh}", f"127.0.0.1:{api}"))
        return k

    def _infos(self, k: int) -> list[ReplicaInfo]:
        """How a replica has presented itself in each epoch, the newest last; else before its first."""
        name = self._name(k)
        found = [epoch.replicas[i] for epoch in self.epochs.all if (i := epoch.index(name)) is not None]
        own = own_info(self.replica_folder(k), name) if not found else None
        if own is not None:
            return [own]
        if not found:
            raise ConfigError("there is no such replica", where=name)
        return found

    # --- processes -------------------------------------------------------------------------------

    def pid(self, k: int) -> int | None:
        """The process id of a running daemon, else None."""
        child = self._children.get(k)
        if child is not None and child.poll() is not None:
            del self._children[k]
        try:
            text = (self.replica_folder(k) / "pid").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        found = re.fullmatch(r"(\d+) (\d+)\n", text, re.ASCII)
        return int(found[1]) if found is not None and _started(int(found[1])) == found[2] else None

    def replica_folder(self, k: int) -> Path:
        """Data directory, settings, keys, log file and pid file of a replica."""
        return self.folder / self._name(k)

    def wait_ready(self, which: Iterable[int] | None = None, timeout: float = START_SECONDS) -> None:
        """Wait until they take part; raises Unavailable naming the first that ended or is late."""
        deadline = time.monotonic() + timeout
        for k in self._chosen(which):
            while reasons := self._reasons(k):
                self.require_running(k)
                if time.monotonic() > deadline:
                    detail = f"not ready after {timeout:.0f} s: {'; '.join(reasons)}"
                    raise Unavailable(detail, where=self._name(k))
                time.sleep(POLL_SECONDS)

    def require_running(self, k: int) -> None:
        """Raise Unavailable with the last words of a daemon that has ended."""
        if self.pid(k) is None:
            raise Unavailable(f"the daemon ended: {self._log_tail(k)}", where=self._name(k))

    def _chosen(self, which: Iterable[int] | None) -> list[int]:
        return self.members if which is None else list(which)

    def _name(self, k: int) -> str:
        founders = self.genesis.replicas
        return founders[k].name if k < len(founders) else f"replica-{k}"

    def _spawn(self, k: int) -> None:
        folder = self.replica_folder(k)
        with (folder / "log.txt").open("ab") as output:
            child = subprocess.Popen(  # noqa: S603  # our own interpreter, and paths that we have written
                _command(folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment(k),
                start_new_session=True,
            )
        self._children[k] = child
        (folder / "pid").write_text(f"{child.pid} {_started(child.pid)}\n", encoding="ascii")

    def _environment(self, k: int) -> dict[str, str]:  # noqa: ARG002  # tests preload faults into one
        """What the user has set for client commands must not reach a replica: it beats the file."""
        return {name: value for name, value in os.environ.items() if not name.startswith("GROOTBOEK_")}

    def _signal(self, k: int, number: signal.Signals) -> None:
        pid = self.pid(k)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _wait_gone(self, k: int, deadline: float) -> bool:
        while self.pid(k) is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        child = self._children.pop(k, None)
        if child is not None:
            child.wait()
        return True

    def _reasons(self, k: int) -> list[str]:
        """Why a daemon is not ready, as it says itself.

        Where an epoch has begun with another API key of it, it may show either for a moment.
        """
        newest, *older = dict.fromkeys((info.api, info.api_certificate) for info in reversed(self._infos(k)))
        try:
            return self._ask(*newest)
        except (OSError, http.client.HTTPException) as error:
            for one in older:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    return self._ask(*one)
            return [str(error) or type(error).__name__]

    def _ask(self, api: str, certificate: str) -> list[str]:
        if certificate not in self._contexts:
            self._contexts[certificate] = client_context([b64decode(certificate)])
        host, port = split_address(api)
        connection = http.client.HTTPSConnection(
            host, port, timeout=HEALTH_SECONDS, context=self._contexts[certificate]
        )
        try:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        return [] if response.status == http.HTTPStatus.OK else _said(body)

    def _log_tail(self, k: int) -> str:
        with contextlib.suppress(OSError), (self.replica_folder(k) / "log.txt").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").strip().split("\n")
            report = [i for i, line in enumerate(lines) if line.startswith("error GB-")]
            return "; ".join(" ".join(line.split()) for line in lines[report[-1] if report else -1 :])
        return "it left no log"


def _command(folder: Path) -> list[str]:
    """How a replica's daemon is started."""
    return [sys.executable, "-m", "grootboek.cli", "start", "--config", str(folder / "config.toml")]


def _said(body: bytes) -> list[str]:
    try:
        return msgspec.json.decode(body, type=_Ready).reasons or ["it gives no reason"]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ["its answer is not understood"]


class _Ready(Struct):
    reasons: list[str]


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty where there is none, or only its exit code.

    A process id alone may belong to somebody else by now.
    """
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return ""
    state, started = fields[0], fields[19]
    return "" if state in "ZX" else started
