"""The replica's metrics: read from its counters when they are asked for, at no cost otherwise."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from grootboek.network import Lane, Mesh
from grootboek.node.engine import Engine

__all__ = ["NodeMetrics"]

COUNTERS = {
    "blocks": "Blocks executed or transferred since the start.",
    "transactions": "Transactions with an entry in the log since the start.",
    "records": "Commands recorded since the start, applied or rejected.",
    "duplicates": "Transactions left out of blocks because the log holds them already.",
    "expired": "Transactions left out of blocks because they had expired.",
    "batches_cut": "Batches of this replica's own that it disseminated.",
    "batches_received": "Batches of other replicas that it took.",
    "batches_refused": "Batches that were over their origin's quota.",
    "transaction_signatures": "Client signatures that this replica has checked.",
    "message_signatures": "Replica signatures that it has checked.",
    "messages_refused": "Messages of peers that broke a rule.",
    "view_changes": "Views that this replica has left.",
    "transfers": "Times that it fetched log entries to catch up.",
    "leaps": "Times that it took over a snapshot of the state.",
    "journal_syncs": "Synced groups of the journal.",
    "log_syncs": "Syncs of the log.",
    "answers": "Client requests answered.",
}


class NodeMetrics(Collector):
    """Reads an engine and a mesh."""

    def __init__(self, engine: Engine, mesh: Callable[[], Mesh]) -> None:
        """``mesh`` gives that of the present epoch."""
        self._engine = engine
        self._mesh = mesh

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        counters = self._engine.counters
        for name, text in COUNTERS.items():
            yield CounterMetricFamily(f"grootboek_{name}", text, value=getattr(counters, name))
        yield from self._gauges()
        yield from self._network()

    def _gauges(self) -> Iterator[Metric]:
        engine = self._engine
        replica, ledger = engine.replica, engine.ledger
        certificate = ledger.certificate
        for name, text, value in (
            ("epoch", "The epoch that the replica is in.", engine.epoch.number),
            ("view", "The view that the replica is in, or wants.", replica.view),
            ("view_active", "1 where it takes part in the view.", int(replica.active)),
            (
                "learning",
                "1 where it signs nothing, since it may have forgotten votes.",
                int(replica.learning),
            ),
            (
                "refused_signatures",
                "Signatures that its guard refused; none is expected.",
                engine.signers.refused,
            ),
            ("height", "The last executed height.", ledger.height),
            ("log_entries", "Entries of the log.", ledger.size),
            ("log_synced_entries", "Entries that are durable.", ledger.synced_size),
            ("certified_entries", "Entries under the newest checkpoint.", getattr(certificate, "size", 0)),
            ("in_flight", "Proposals that are not executed.", max(0, replica.top - replica.executed)),
            ("pending_batches", "Batches that no proposal names.", len(replica.backlog)),
            ("pool_transactions", "Transactions that wait for a batch.", len(engine.intake.pool)),
            ("pool_bytes", "Their bytes.", engine.intake.pool.size),
            ("held_bodies", "Batch bodies in memory.", len(engine.bodies)),
            ("journal_bytes", "The journal's size on disk.", engine.journal.size),
            ("evidence", "Pairs of signatures that convict a replica.", len(engine.testimony.evidence)),
        ):
            yield GaugeMetricFamily(f"grootboek_{name}", text, value=value)

    def _network(self) -> Iterator[Metric]:
        names = [replica.name for replica in self._engine.epoch.replicas]
        sent = CounterMetricFamily("grootboek_peer_sent_bytes", "Bytes to a peer.", labels=["peer"])
        received = CounterMetricFamily("grootboek_peer_received_bytes", "Bytes from a peer.", labels=["peer"])
        dropped = CounterMetricFamily(
            "grootboek_peer_dropped_frames", "Frames not sent to a peer.", labels=["peer", "lane"]
        )
        for i, (name, peer) in enumerate(zip(names, self._mesh().counters, strict=False)):
            if i == self._engine.me:
                continue
            sent.add_metric([name], peer.bytes_sent)
            received.add_metric([name], peer.bytes_received)
            for lane in Lane:
                dropped.add_metric([name, lane.name.lower()], peer.dropped[lane])
        yield from (sent, received, dropped)
