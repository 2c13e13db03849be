"""Values of secrets, as they are stored."""

from __future__ import annotations

from prefect_gcp._secret_names import SecretName
from prefect_gcp.errors import GcpInvalidRequest


def as_bytes(name: SecretName, value: object) -> bytes:
    """The value to store.

    Args:
        name: The secret, for the message.
        value: Text or bytes.

    Raises:
        GcpInvalidRequest: If it is neither.
    """
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise GcpInvalidRequest(
        f"{name.subject}: the value is of type {type(value).__name__}. Give str or bytes.", subject=name.subject
    )
