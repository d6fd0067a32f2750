"""Tax: taxpayers, rates, reported invoices, input tax, payments (EN 16931 terms).

A taxpayer's account is double entry: what it owes is output tax minus input tax minus payments (T8).
An invoice's output tax is charged to its seller when it is reported; credit notes give it back.
"""

from grootboek.modules.tax.module import Tax

__all__ = ["Tax"]
