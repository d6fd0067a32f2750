"""The HTTP API of a node."""

from grootboek.api.backend import Backend
from grootboek.api.server import ApiServer, ApiSettings
from grootboek.webapi import NodeStatus, PeerStatus

__all__ = ["ApiServer", "ApiSettings", "Backend", "NodeStatus", "PeerStatus"]
