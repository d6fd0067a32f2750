"""``host:port`` texts, as genesis files and settings hold them."""

from grootboek.errors import ConfigError

__all__ = ["split_address"]

_PORTS = range(1, 65_536)


def split_address(text: str, where: str = "") -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[IPv6]:port``; raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"{text!r}: an IPv6 address stands in brackets, [::1]:7000", where=where)
    number = int(port) if port.isascii() and port.isdecimal() else 0
    if not (colon and host and number in _PORTS) or any(c.isspace() for c in host):
        raise ConfigError(f"{text!r} is not host:port with a port from 1 to 65535", where=where)
    return host, number
