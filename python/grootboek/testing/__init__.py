"""What users' tests import: a whole network in one process."""

from grootboek.testing.network import Network, network

__all__ = ["Network", "network"]
