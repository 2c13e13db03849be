"""The TLS settings of a connection."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_email._replies import Peer

if TYPE_CHECKING:
    from prefect_email.credentials import EmailServerCredentials


def client_context(
    *,
    verify: bool,
    ca_file: Path | None = None,
    client_cert_file: Path | None = None,
    client_key_file: Path | None = None,
    client_key_password: str | None = None,
) -> ssl.SSLContext:
    """Make a context for TLS 1.2 or newer.

    Args:
        verify: Whether the server must prove its identity.
        ca_file: Certificate authorities to trust beside those of the system.
        client_cert_file: Our own certificate, with its chain.
        client_key_file: Its key, when it does not stand in the same file.
        client_key_password: The key's password.

    Raises:
        ValueError: If a file cannot be used. The message names the field and the file.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as exc:  # ssl.SSLError is one
            raise _unusable("ca_file", ca_file, "certificates in PEM form", exc) from exc
    if client_cert_file is not None:
        try:
            # Without a callback, OpenSSL would ask for the password on the terminal.
            context.load_cert_chain(client_cert_file, client_key_file, password=lambda: client_key_password or "")
        except OSError as exc:
            needs = "a certificate and its key (see client_key_file, client_key_password)"
            raise _unusable("client_cert_file", client_cert_file, needs, exc) from exc
    return context


def _unusable(field: str, path: Path, needs: str, exc: OSError) -> ValueError:
    reason = exc.strerror or str(exc)
    return ValueError(f"{field} {str(path)!r} cannot be used: {reason}. It must hold {needs}.")


def context_of(credentials: EmailServerCredentials) -> ssl.SSLContext:
    """Make the context that credentials ask for, with a warning if it trusts everybody.

    Raises:
        ValueError: If a file cannot be used.
    """
    if credentials.verify is False:
        credentials.logger.warning(
            "The certificate of %s is not verified (verify=False): anyone between can read the mail and the "
            "password. Give ca_file to trust a private authority instead.",
            Peer.of(credentials),
        )
    password = credentials.client_key_password
    return client_context(
        verify=credentials.verify is not False,
        ca_file=credentials.ca_file,
        client_cert_file=credentials.client_cert_file,
        client_key_file=credentials.client_key_file,
        client_key_password=password.get_secret_value() if password else None,
    )
