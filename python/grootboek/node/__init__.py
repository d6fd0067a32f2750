"""The daemon: joins consensus, ledger and network."""
