"""Counters at one moment, of replicas, client and machine, and what was spent between two of them."""

import http.client
import threading
from base64 import b64decode
from typing import Self

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from grootboek.bench.host import Usage, loopback_bytes, pss_bytes, rss_bytes, usage
from grootboek.errors import Unavailable
from grootboek.network.addresses import split_address
from grootboek.network.tls import client_context
from grootboek.node.localnet import Localnet
from grootboek.types import ReplicaInfo

__all__ = ["Memory", "Moment", "Spent", "metrics", "moment", "spent"]

SAMPLE_SECONDS = 0.5
METRICS_SECONDS = 30.0
SIGNATURES = "grootboek_transaction_signatures_total"
SYNCS = "grootboek_journal_syncs_total"
VIEW_CHANGES = "grootboek_view_changes_total"


class Moment(Struct, frozen=True):
    """What was used up to now. Replicas that do not run are missing."""

    replicas: dict[int, Usage]
    metrics: dict[int, dict[str, float]]
    client_cpu_us: int
    loopback_bytes: int


class Spent(Struct, frozen=True):
    """What was used between two moments; sums are over the replicas that ran at both."""

    cpu_us: int
    written_bytes: int
    client_cpu_us: int
    loopback_bytes: int
    signatures: int
    """Client signatures that each replica checked: the least of them."""
    synced: bool
    """Whether each replica synced its journal."""
    view_changes: int
    """The most of them."""


def moment(network: Localnet, client: int) -> Moment:
    """The counters now; ``client`` is the load client's process id."""
    pids = {k: pid for k in range(len(network.genesis.replicas)) if (pid := network.pid(k)) is not None}
    return Moment(
        replicas={k: usage(pid) for k, pid in pids.items()},
        metrics={k: metrics(network.genesis.replicas[k]) for k in pids},
        client_cpu_us=usage(client).cpu_us,
        loopback_bytes=loopback_bytes(),
    )


def spent(before: Moment, after: Moment) -> Spent:
    """The difference."""
    both = sorted(before.replicas.keys() & after.replicas.keys())

    def counted(name: str) -> list[float]:
        return [after.metrics[k][name] - before.metrics[k][name] for k in both]

    return Spent(
        cpu_us=sum(after.replicas[k].cpu_us - before.replicas[k].cpu_us for k in both),
        written_bytes=sum(after.replicas[k].written_bytes - before.replicas[k].written_bytes for k in both),
        client_cpu_us=after.client_cpu_us - before.client_cpu_us,
        loopback_bytes=after.loopback_bytes - before.loopback_bytes,
        signatures=int(min(counted(SIGNATURES))),
        synced=all(count > 0 for count in counted(SYNCS)),
        view_changes=int(max(counted(VIEW_CHANGES))),
    )


def metrics(replica: ReplicaInfo) -> dict[str, float]:
    """The counters of one replica that have no labels. Raises Unavailable where it does not answer."""
    host, port = split_address(replica.api)
    context = client_context([b64decode(replica.api_certificate)])
    connection = http.client.HTTPSConnection(host, port, timeout=METRICS_SECONDS, context=context)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(str(error) or type(error).__name__, where=replica.name) from error
    finally:
        connection.close()
    families = text_string_to_metric_families(text)
    return {
        sample.name: sample.value for family in families for sample in family.samples if not sample.labels
    }


class Memory:
    """Samples the sum of resident memory while the block runs: the highest, in bytes."""

    def __init__(self, pids: list[int]) -> None:
        self.rss = 0
        self.pss = 0
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
            self.rss = max(self.rss, sum(map(rss_bytes, self._pids)))
            self.pss = max(self.pss, sum(map(pss_bytes, self._pids)))
