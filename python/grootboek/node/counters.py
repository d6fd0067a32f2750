"""What a replica counts about itself; the metrics page reads it when it is asked."""

from msgspec import Struct

from grootboek.wire import BlockEntry

__all__ = ["Counters"]


class Counters(Struct):
    """Totals since the start of the process."""

    blocks: int = 0
    transactions: int = 0
    """Transactions with an entry in the log."""
    records: int = 0
    duplicates: int = 0
    expired: int = 0
    batches_cut: int = 0
    batches_received: int = 0
    batches_refused: int = 0
    transaction_signatures: int = 0
    """Signatures of clients that this replica has checked."""
    message_signatures: int = 0
    """Signatures of replicas that it has checked."""
    messages_refused: int = 0
    view_changes: int = 0
    transfers: int = 0
    leaps: int = 0
    """Snapshots that came in place of executing."""
    journal_syncs: int = 0
    log_syncs: int = 0
    answers: int = 0
    """Client requests answered with a certificate."""

    def block(self, entry: BlockEntry) -> None:
        """Count an executed or transferred block."""
        self.blocks += 1
        self.transactions += entry.transactions
        self.records += entry.records
        self.duplicates += entry.duplicates
        self.expired += entry.expired
