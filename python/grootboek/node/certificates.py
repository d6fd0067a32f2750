"""Self-signed certificates: a TLS wrapping of a key that the genesis file pins.

A certificate here never expires (RFC 5280 section 4.1.2.5 reserves 9999-12-31T23:59:59Z for that):
who belongs to the ledger, and until when, is decided by the ledger and not by a date in a file. The
same seed, name and hosts always give the same bytes.
"""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from grootboek._core import digest

__all__ = ["public_key", "self_signed"]

NOT_BEFORE = datetime(1970, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
SERIAL_BYTES = 16


def self_signed(seed: bytes, name: str, hosts: Sequence[str] = ()) -> bytes:
    """The certificate (DER) of the Ed25519 key with that seed.

    ``name`` becomes the common name, ``hosts`` (names or IP addresses) the alternative names that
    ordinary HTTPS clients look for.
    """
    key = Ed25519PrivateKey.from_private_bytes(seed)
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    serial = int.from_bytes(digest(b"grootboek/1 certificate\n" + raw)[:SERIAL_BYTES], "big") >> 1
    common_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(common_name)
        .issuer_name(common_name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, algorithm=None).public_bytes(Encoding.DER)


def public_key(certificate: bytes) -> bytes:
    """The raw public key in a certificate (DER); raises ValueError where it is no certificate."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)[-32:]


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
