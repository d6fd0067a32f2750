"""One run: found a network of daemons, load it from another process, count, stop it cleanly."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from grootboek import __version__
from grootboek.bench.figures import corrected, jain, longest_gap, percentile
from grootboek.bench.host import disk_bytes, host
from grootboek.bench.kill import Kill
from grootboek.bench.load import Plan
from grootboek.bench.moment import Memory, Spent, moment, spent
from grootboek.bench.process import LoadProcess
from grootboek.bench.report import Load, Report
from grootboek.bench.setting import Setting
from grootboek.bench.workloads import WORKLOADS
from grootboek.node.localnet import Localnet, create

__all__ = ["founded", "plan_of", "run"]


def run(setting: Setting, say: Callable[[str], None], folder: Path | None = None) -> Report:
    """One measurement; ``say`` tells a person how far it is.

    ``folder`` keeps the ledger; by default it is a temporary one. Raises BenchFailed, ConfigError where
    the folder holds a ledger already, and as the daemons do.
    """
    with founded(setting, say, folder) as network:
        return _measure(setting, network, say)


@contextmanager
def founded(setting: Setting, say: Callable[[str], None], folder: Path | None = None) -> Iterator[Localnet]:
    """A new network of daemons for the setting's workload, which runs until the block ends."""
    with tempfile.TemporaryDirectory(prefix="grootboek-bench-") as temporary:
        place = folder or Path(temporary)
        create(place, setting.replicas, WORKLOADS[setting.workload].modules, name="localnet/bench")
        network = Localnet(place)
        try:
            say(f"starting {setting.replicas} daemons")
            network.start()
            yield network
        finally:
            network.stop()


def plan_of(setting: Setting, network: Localnet) -> Plan:
    """What the load client is told."""
    return Plan(genesis=str(network.folder / "genesis.json"), setting=setting)


def _measure(setting: Setting, network: Localnet, say: Callable[[str], None]) -> Report:
    pids = [pid for k in range(setting.replicas) if (pid := network.pid(k)) is not None]
    with LoadProcess(plan_of(setting, network)) as client:
        say(f"setting up {setting.workload}, and signing {setting.prepared:,} transactions")
        client.expect("ready")
        kept = -_kept(network)
        say("warming up")
        client.tell("go")
        client.expect("measure")
        with Kill(network, setting.kill, setting.at) as kill, Memory(pids) as memory:
            before = moment(network, client.pid)
            say(f"measuring for {setting.seconds:g} s")
            client.expect("end")
        used = spent(before, moment(network, client.pid))
        load = client.result()
    say("stopping and flushing")
    network.stop()
    kept += _kept(network)
    return _report(setting, load, used, kill, memory, kept)


def _report(  # noqa: PLR0917  # the parts of a report, in their order
    setting: Setting, load: Load, used: Spent, kill: Kill, memory: Memory, kept: int
) -> Report:
    count = max(1, load.acknowledged)
    facts = host()
    latencies = [sample.ms for sample in load.samples]
    even = latencies if setting.rate else corrected(latencies, _interval_ms(load))
    before = [sample.ms for sample in load.samples if kill.replica and sample.at < kill.seconds]
    after = [sample.ms for sample in load.samples if kill.replica and sample.at >= kill.seconds]
    moments = [sample.at for sample in load.samples if sample.acknowledged]
    by_replica = [sum(load.by_connection[k :: setting.replicas]) for k in range(setting.replicas)]
    return Report(
        version=__version__,
        setting=setting,
        host=facts,
        runs=1,
        tput=load.acknowledged / load.seconds,
        records_per_s=load.records / load.seconds,
        p50_ms=percentile(latencies, 0.50),
        p90_ms=percentile(latencies, 0.90),
        p99_ms=percentile(latencies, 0.99),
        p999_ms=percentile(latencies, 0.999),
        max_ms=max(latencies, default=0.0),
        p99_corrected_ms=percentile(even, 0.99),
        p999_corrected_ms=percentile(even, 0.999),
        outage_ms=1_000 * longest_gap(moments, load.seconds),
        killed=kill.replica,
        killed_s=kill.seconds,
        p99_before_kill_ms=percentile(before, 0.99),
        p99_after_kill_ms=percentile(after, 0.99),
        moved=load.moved,
        fairness=jain(load.by_connection),
        slowest_connection=min(load.by_connection) * len(load.by_connection) / count,
        fastest_connection=max(load.by_connection) * len(load.by_connection) / count,
        slowest_replica=min(by_replica) * len(by_replica) / count,
        fastest_replica=max(by_replica) * len(by_replica) / count,
        cpu_us_per_tx=used.cpu_us / count,
        rss_mb=memory.rss / 1e6,
        pss_mb=memory.pss / 1e6,
        disk_written_bytes_per_tx=used.written_bytes / count,
        disk_kept_bytes_per_tx=kept / max(1, load.total),
        loopback_bytes_per_tx=used.loopback_bytes / count,
        signatures_verified_per_replica=used.signatures,
        fsync=used.synced,
        errors=load.errors,
        view_changes=used.view_changes,
        transactions=load.acknowledged,
        transaction_bytes=load.transaction_bytes,
        in_request=setting.in_request,
        keys=load.keys,
        distinct_keys=load.distinct_keys,
        client_cpu_us_per_tx=used.client_cpu_us / count,
        backend=facts.backend,
    )


def _interval_ms(load: Load) -> float:
    """The mean time from one request of a connection to its next one."""
    return 1_000 * load.seconds * len(load.by_connection) / max(1, len(load.samples))


def _kept(network: Localnet) -> int:
    count = len(network.genesis.replicas)
    return sum(disk_bytes(network.replica_folder(k)) for k in range(count))
