"""The check of a service's certificate before anything is begun: by a handshake with itself."""

import ssl
from pathlib import Path

from edgestill.errors import InputError


def check_certificate(certificate: Path, key: Path) -> None:
    """Find what clients would find wrong with a certificate, whoever issued it.

    Args:
        certificate: PEM file with the server's certificate first.
        key: PEM file of its private key, without a password.

    Raises:
        InputError: a file cannot be read, the two do not belong together, or the certificate is not
            valid today.
    """
    for option, path in (("--certificate", certificate), ("--key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise InputError(f"{option} {path}: cannot be read ({error.strerror})") from error
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password, so that a key that has one is refused and nobody is asked.
        server.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise InputError(
            f"--certificate {certificate}, --key {key}: expected PEM files, a certificate and its "
            f"own private key ({str(reason).lower().replace('_', ' ')})"
        ) from error
    _shake_hands(server, certificate)


def _shake_hands(server: ssl.SSLContext, certificate: Path) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    # The certificate vouches for itself, so that only its own dates and form are judged.
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        client.load_verify_locations(certificate)
        ends = (
            client.wrap_bio(to_client, to_server),
            server.wrap_bio(to_server, to_client, server_side=True),
        )
        # Each end has its turn; the client is through after the second.
        for end in (*ends, *ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLCertVerificationError as error:
        raise InputError(f"--certificate {certificate}: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise InputError(f"--certificate {certificate}: {error.reason}") from error
