"""What an operator may set of the API; every limit that is not agreed between replicas is here."""

from msgspec import Struct

from grootboek import webapi

__all__ = ["ApiSettings"]


class ApiSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Address and limits of one node's HTTP API."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free one (tests)."""
    request_transactions: int = webapi.REQUEST_TRANSACTIONS
    """Transactions in one POST."""
    request_bytes: int = webapi.REQUEST_BYTES
    """Bytes of one POST."""
    header_bytes: int = 8 << 10
    """Bytes of one header, and of the request line."""
    headers: int = 64
    connections: int = 1_024
    """Open connections of all clients."""
    client_connections: int = 256
    """Open connections of one client address."""
    requests: int = 512
    """Requests under way at once; more are refused before work is done."""
    client_requests: int = 128
    """Requests of one client address under way at once."""
    client_bytes: int = 64 << 20
    """Bytes of submissions of one client address under way at once."""
    client_rate: int = 2_000
    """Requests a second of one client address; twice as many at a stroke."""
    streams: int = 256
    """Event streams under way at once."""
    first_request_seconds: float = 10.0
    """How long a new connection may wait with its first request, TLS handshake apart."""
    handshake_seconds: float = 10.0
    idle_seconds: float = 75.0
    """How long a connection is kept between two requests."""
    body_seconds: float = 30.0
    """How long the body of a request may take to arrive."""
    linger_seconds: float = 1.0
    """How long what is left of a refused body is read, so that the client sees the refusal."""
    drain_seconds: float = 10.0
    """How long requests under way may take to end when the node stops."""
