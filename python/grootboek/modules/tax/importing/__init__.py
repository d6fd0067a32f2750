"""Importers of the tax module: UBL 2.1 documents, invoices and rates as CSV."""
