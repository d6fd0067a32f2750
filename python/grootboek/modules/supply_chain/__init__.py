"""Supply chain: EPCIS 2.0 events, and the state of items that follows from them.

Five event types come in with the standard's own field names. The ledger keeps of each item its life,
its place in a containment forest, its one custodian, its lineage, and a record of each gap.
"""

from grootboek.modules.supply_chain.module import SupplyChain

__all__ = ["SupplyChain"]
