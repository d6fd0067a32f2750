"""Welfare: schemes, appropriations, enrolments, accounts, entitlements, payments.

Who a beneficiary is, only the vaults of the organisations know: the ledger holds a random pseudonym for
each person and scheme, salted commitments to account numbers, and amounts, periods and codes in clear.
"""

from grootboek.modules.welfare.module import Welfare

__all__ = ["Welfare"]
