"""One run: found a network of daemons, load it from another process, count, stop it cleanly."""

import http.client
import subprocess
import sys
import tempfile
import threading
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

import msgspec
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from grootboek.bench.host import disk_bytes, host, loopback_bytes, rss_bytes, usage
from grootboek.bench.load import Plan
from grootboek.bench.report import Load, Report, percentile
from grootboek.errors import BenchFailed
from grootboek.network.addresses import split_address
from grootboek.network.tls import client_context
from grootboek.node.localnet import Localnet, create
from grootboek.types import ReplicaInfo

__all__ = ["Setting", "run"]

SAMPLE_SECONDS = 0.5
METRICS_SECONDS = 10.0
SIGNATURES = "grootboek_transaction_signatures_total"
SYNCS = "grootboek_journal_syncs_total"
VIEW_CHANGES = "grootboek_view_changes_total"


class Setting(Struct, frozen=True, kw_only=True):
    """What a run is asked to measure."""

    replicas: int
    seconds: float
    warm_up: float
    window: int
    rate: float
    connections: int
    keys: int
    ceiling: int
    """Transactions a second to be signed before the clock starts."""

    @property
    def prepared(self) -> int:
        """How many transactions the client signs."""
        wanted = self.rate or self.ceiling
        return int(wanted * (self.seconds + self.warm_up)) + self.connections


class _Moment(Struct, frozen=True):
    """Counters at one moment: by replica, and of the machine."""

    cpu_us: int
    written_bytes: int
    client_cpu_us: int
    loopback_bytes: int
    metrics: list[dict[str, float]]


def run(setting: Setting, say: Callable[[str], None]) -> Report:
    """One measurement in a temporary folder; ``say`` tells a person how far it is."""
    with tempfile.TemporaryDirectory(prefix="grootboek-bench-") as name:
        folder = Path(name)
        create(folder, setting.replicas, ("records",), name="localnet/bench")
        network = Localnet(folder)
        try:
            say(f"starting {setting.replicas} daemons")
            network.start()
            return _measure(setting, network, say)
        finally:
            network.stop()


def _measure(setting: Setting, network: Localnet, say: Callable[[str], None]) -> Report:
    plan = Plan(
        genesis=str(network.folder / "genesis.json"),
        seconds=setting.seconds,
        warm_up=setting.warm_up,
        window=setting.window,
        rate=setting.rate,
        connections=setting.connections,
        keys=setting.keys,
        prepared=setting.prepared,
    )
    pids = [pid for k in range(setting.replicas) if (pid := network.pid(k)) is not None]
    kept = -_kept(network)
    client = _Client(plan)
    with client.process:
        say(f"signing {plan.prepared:,} transactions")
        client.expect("ready")
        say("warming up")
        client.tell("go")
        client.expect("measure")
        before = _moment(network, pids, client.process.pid)
        say(f"measuring for {setting.seconds:g} s")
        with _Memory(pids) as memory:
            client.expect("end")
        after = _moment(network, pids, client.process.pid)
        load = client.result()
    say("stopping and flushing")
    network.stop()
    kept += _kept(network)
    return _report(setting, load, before, after, kept=kept, rss=memory.highest)


def _report(setting: Setting, load: Load, before: _Moment, after: _Moment, *, kept: int, rss: int) -> Report:
    count = max(1, load.acknowledged)
    facts = host()
    spent = [
        {name: now[name] - then[name] for name in (SIGNATURES, SYNCS, VIEW_CHANGES)}
        for then, now in zip(before.metrics, after.metrics, strict=True)
    ]
    return Report(
        replicas=setting.replicas,
        seconds=load.seconds,
        window=setting.window,
        rate=setting.rate,
        runs=1,
        tput=load.acknowledged / load.seconds,
        p50_ms=percentile(load.latencies_ms, 0.50),
        p99_ms=percentile(load.latencies_ms, 0.99),
        cpu_us_per_tx=(after.cpu_us - before.cpu_us) / count,
        rss_mb=rss / 1e6,
        disk_written_bytes_per_tx=(after.written_bytes - before.written_bytes) / count,
        disk_kept_bytes_per_tx=kept / max(1, load.total),
        loopback_bytes_per_tx=(after.loopback_bytes - before.loopback_bytes) / count,
        signatures_verified_per_replica=int(min(one[SIGNATURES] for one in spent)),
        fsync=all(one[SYNCS] > 0 for one in spent),
        errors=load.errors,
        view_changes=int(max(one[VIEW_CHANGES] for one in spent)),
        transactions=load.acknowledged,
        transaction_bytes=load.transaction_bytes,
        keys=setting.keys,
        connections=setting.connections,
        client_cpu_us_per_tx=(after.client_cpu_us - before.client_cpu_us) / count,
        backend=facts.backend,
        host=facts,
    )


class _Client:
    """The load client's process, and the lines that go back and forth."""

    def __init__(self, plan: Plan) -> None:
        command = [sys.executable, "-m", "grootboek.bench.load"]
        self.process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.tell(msgspec.json.encode(plan).decode())

    def tell(self, line: str) -> None:
        """Send one line."""
        stream = _open(self.process.stdin)
        stream.write(line + "\n")
        stream.flush()

    def expect(self, wanted: str) -> None:
        """Wait for a line; raises BenchFailed where another one, or the end, comes."""
        line = _open(self.process.stdout).readline().strip()
        if line != wanted:
            raise BenchFailed(f"the load client said {line!r} instead of {wanted!r}")

    def result(self) -> Load:
        """What it saw; it ends after this."""
        try:
            return msgspec.json.decode(_open(self.process.stdout).readline(), type=Load)
        except msgspec.DecodeError as error:
            raise BenchFailed("the load client ended without a result") from error


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # noqa: S101  # both ends were asked for as pipes
    return stream


class _Memory:
    """Samples the sum of resident memory while the block runs."""

    def __init__(self, pids: list[int]) -> None:
        self.highest = 0
        self._pids = pids
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.highest = max(self.highest, sum(map(rss_bytes, self._pids)))


def _moment(network: Localnet, pids: list[int], client: int) -> _Moment:
    used = [usage(pid) for pid in pids]
    return _Moment(
        cpu_us=sum(one.cpu_us for one in used),
        written_bytes=sum(one.written_bytes for one in used),
        client_cpu_us=usage(client).cpu_us,
        loopback_bytes=loopback_bytes(),
        metrics=[_metrics(replica) for replica in network.genesis.replicas],
    )


def _metrics(replica: ReplicaInfo) -> dict[str, float]:
    """The counters of one replica that have no labels."""
    host_name, port = split_address(replica.api)
    context = client_context([b64decode(replica.api_certificate)])
    connection = http.client.HTTPSConnection(host_name, port, timeout=METRICS_SECONDS, context=context)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    families = text_string_to_metric_families(text)
    return {
        sample.name: sample.value for family in families for sample in family.samples if not sample.labels
    }


def _kept(network: Localnet) -> int:
    count = len(network.genesis.replicas)
    return sum(disk_bytes(network.replica_folder(k)) for k in range(count))
