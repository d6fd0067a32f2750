"""The importer framework: files in, staged commands, outcomes back, a report of every row.

An import never asks the ledger anything and sends nothing by itself. It has three parts:

1. ``stage`` reads files through a module's importers. Personal data goes into the vault, the rest
   becomes typed commands; rows that break a rule are refused with the rule's id. Accepted rows are
   packed into transactions in a SQLite file of the ledger and module (``Staging``).
2. ``submit`` hands transactions to ``sign`` and ``send`` and records the outcome of each command. Who
   brings a client brings these two functions; this package knows no network.
3. The ``Report`` counts rows (accepted, known, warned, refused, applied, pending) and reasons;
   ``export`` writes refused rows as CSV, which is corrected and imported again.

::

    with Vault.at(folder) as vault, Staging(folder, genesis.chain, Tax) as staging:
        result = stage(Tax, [Path("invoices")], vault=vault, staging=staging)
        await submit(staging, sign, send)
        result = report(result, staging)

Running it again doubles nothing, wherever the first run stopped: a row's commands, salts and pseudonyms
are the same again, their transaction has the same bytes, and the ledger answers with the first receipt.
A row whose commands are all staged already counts as ``known``. A transaction that expired unseen is
signed anew; a command that a module's rule refused is sent anew when its row is imported again.

To write an importer, subclass ``Importer`` and name it in ``Module.importers``; ``tables`` reads CSV.
"""

from grootboek.modules.importing.model import Importer, Options, Problem, Refusal, Row, Source, Step
from grootboek.modules.importing.session import (
    FileReport,
    Progress,
    Report,
    RowReport,
    export,
    importers,
    report,
    stage,
    submit,
)
from grootboek.modules.importing.staging import Prepared, Staging
from grootboek.modules.importing.tables import BadField, Column, Record

__all__ = [
    "BadField",
    "Column",
    "FileReport",
    "Importer",
    "Options",
    "Prepared",
    "Problem",
    "Progress",
    "Record",
    "Refusal",
    "Report",
    "Row",
    "RowReport",
    "Source",
    "Staging",
    "Step",
    "export",
    "importers",
    "report",
    "stage",
    "submit",
]
