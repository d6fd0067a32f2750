"""``bulk``: a hundred records of one sender under one signature."""

from grootboek.bench.workloads.anchor import AnchorWorkload

__all__ = ["BulkWorkload"]


class BulkWorkload(AnchorWorkload):
    """As ``anchor``, with 100 anchors in a transaction: all of them or none."""

    name = "bulk"
    records = 100
    ceiling = 400
