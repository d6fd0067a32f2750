"""Clients and the offline verifier."""
