"""Where a workspace is, by what users give for it."""

from __future__ import annotations

from urllib.parse import urlsplit

from prefect_integration_kit.endpoints import host_address

EXAMPLE = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"


def workspace_address(databricks_instance: str, field: str = "databricks_instance") -> str:
    """Make the address of a workspace.

    Args:
        databricks_instance: Host of the workspace. It may be copied from a browser: a scheme in front is fine, and what
            follows `?` or `#` is left out. Where a gateway stands in front, a path may follow the host.
        field: Name of what the user gave, for messages.

    Returns:
        The address without a slash at the end, such as `https://dbc-a1b2c3d4-e5f6.cloud.databricks.com`.

    Raises:
        ValueError: If it is no host, or a token would be sent in the clear.
    """
    given = databricks_instance.strip()
    if not given.isprintable():  # `urlsplit` leaves out line breaks
        raise ValueError(f"{field} must be a host such as {EXAMPLE}, and has characters that no host has.")
    address = given if "://" in given else f"https://{given}"
    address = address.partition("#")[0].partition("?")[0]
    scheme, _, rest = address.partition("://")
    netloc, slash, path = rest.partition("/")
    checked = host_address(f"{scheme}://{netloc}", field, EXAMPLE)
    if slash and any(part in (".", "..") or "\\" in part or " " in part for part in path.split("/")):
        raise ValueError(f"{field} must be a host such as {EXAMPLE}, and has a path that is none.")
    tail = path.strip("/")
    # Some copy the address of the API; the client adds what is missing here.
    tail = tail.removesuffix("api").rstrip("/") if tail == "api" or tail.endswith("/api") else tail
    return f"{checked}/{tail}".rstrip("/")


def hostname(address: str) -> str:
    """Give the host of an address, in lower case."""
    return (urlsplit(address).hostname or "").lower()
