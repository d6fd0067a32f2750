"""``host:port`` texts, as genesis files and settings hold them."""

from grootboek.errors import ConfigError

__all__ = ["split_address"]

_PORTS = range(1, 65_536)
_DIGITS = 5


def split_address(text: str, where: str = "") -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[IPv6]:port``; raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"{text!r}: an IPv6 address stands in brackets, [::1]:7000", where=where)
    number = int(port) if port.isascii() and port.isdecimal() and len(port) <= _DIGITS else 0
    if not (colon and number in _PORTS and _is_name(host)):
        raise ConfigError(f"{text!r} is not host:port with a port from 1 to 65535", where=where)
    return host, number


def _is_name(host: str) -> bool:
    """Whether resolver and certificate take ``host`` at all; names in other scripts have an ASCII form."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(host) and host.isascii() and host.isprintable() and " " not in host
