"""Whom a client speaks to: an address, and the certificates that it trusts."""

import ssl

import httpx

from edgestill.errors import InputError


def checked_url(url: str) -> str:
    """Return an address as it may be shown: without user, password and slash at the end.

    Raises:
        InputError: it is no address of HTTP.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InputError(f"{url}: not a URL ({error})") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError(f"{url}: expected a URL such as https://host:8443")
    return str(parsed.copy_with(userinfo=b"")).rstrip("/")


def trusted(ca_file: str | None) -> ssl.SSLContext | bool:
    """Return what trusts the certificates of a PEM file; without one, the system's.

    Raises:
        InputError: it holds none.
    """
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"{ca_file}: no certificates to trust can be read from it") from error


def distrust(error: BaseException | None) -> str | None:
    """Return why a certificate is not trusted, if that is behind an error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None
