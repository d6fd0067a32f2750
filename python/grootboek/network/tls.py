"""TLS 1.3 contexts over raw Ed25519 seeds and the self-signed certificates of the genesis file.

No certificate authority, no host names, no session resumption: who may connect is exactly who the
genesis file names. ``ssl`` reads private keys from files only, so the key passes through a file that
is encrypted under a password of this call and gone when it returns.
"""

import secrets
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509 import load_der_x509_certificate

from grootboek.errors import GenesisError, KeyFileError

__all__ = ["client_context", "load_identity", "mesh_contexts", "server_context", "trust"]


def mesh_contexts(
    certificate: bytes, seed: bytes, trusted: Sequence[bytes]
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For accepting and for dialling; both sides must present one of ``trusted`` (DER).

    Raises KeyFileError, and GenesisError where a trusted certificate is none.
    """
    accepting = server_context(certificate, seed)
    dialling = _context(ssl.PROTOCOL_TLS_CLIENT)
    dialling.check_hostname = False
    load_identity(dialling, certificate, seed)
    for context in (accepting, dialling):
        context.verify_mode = ssl.CERT_REQUIRED
        trust(context, trusted)
    return accepting, dialling


def server_context(certificate: bytes, seed: bytes) -> ssl.SSLContext:
    """A server with that certificate (DER) that asks its clients for none; raises KeyFileError."""
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0
    load_identity(context, certificate, seed)
    return context


def client_context(trusted: Sequence[bytes]) -> ssl.SSLContext:
    """A client without a certificate that trusts exactly these servers' certificates (DER).

    Raises GenesisError where one is none.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    trust(context, trusted)
    return context


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Otherwise, of two certificates with one name (a replica's old and new one), only the first is found.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def trust(context: ssl.SSLContext, certificates: Sequence[bytes]) -> None:
    """Let ``context`` accept these, too (DER); raises GenesisError where one is none."""
    if not certificates:  # a replica alone: nobody is let in
        return
    try:
        context.load_verify_locations(cadata=b"".join(certificates))
    except (ValueError, ssl.SSLError) as error:
        raise GenesisError("a replica's certificate is no certificate", where="$.replicas") from error


def load_identity(context: ssl.SSLContext, certificate: bytes, seed: bytes) -> None:
    """Present this certificate (DER) on connections from now on; raises KeyFileError."""
    password = secrets.token_bytes(32).hex()
    key = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())
    )
    try:
        chain = load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)
        with tempfile.TemporaryDirectory(prefix="grootboek-") as folder:
            path = Path(folder) / "identity.pem"
            path.write_bytes(chain + key)
            context.load_cert_chain(path, password=password)
    except (ValueError, ssl.SSLError) as error:
        raise KeyFileError("certificate and private key do not belong together") from error
