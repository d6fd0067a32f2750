"""The ledger: log, execution, receipts and proofs, and the API that modules are written against."""

from grootboek.ledger.audit import Report, audit
from grootboek.ledger.blocks import StoredBlock
from grootboek.ledger.certificates import check_certificate
from grootboek.ledger.epochs import Epochs
from grootboek.ledger.incoming import Incoming
from grootboek.ledger.keys import state_key
from grootboek.ledger.ledger import Block, Ledger
from grootboek.ledger.module import Context, Module, Query, Signer, Table, View, command, query
from grootboek.ledger.registry import Active, Registry, installed

__all__ = [
    "Active",
    "Block",
    "Context",
    "Epochs",
    "Incoming",
    "Ledger",
    "Module",
    "Query",
    "Registry",
    "Report",
    "Signer",
    "StoredBlock",
    "Table",
    "View",
    "audit",
    "check_certificate",
    "command",
    "installed",
    "query",
    "state_key",
]
