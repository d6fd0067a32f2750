"""Measuring a ledger on this machine: ``grootboek bench``."""
