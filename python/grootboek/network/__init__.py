"""asyncio: the TLS mesh between replicas, its framing and its budgets."""

from grootboek.network.lanes import Lane, LaneBudgets
from grootboek.network.link import PeerCounters
from grootboek.network.mesh import Credentials, Mesh, MeshLimits

__all__ = ["Credentials", "Lane", "LaneBudgets", "Mesh", "MeshLimits", "PeerCounters"]
