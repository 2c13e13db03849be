"""How a container reaches the Prefect API."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

HOST_NAME = "host.docker.internal"
"""What a container calls the machine that its engine runs on."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - nothing is bound to it here
API_URL = "PREFECT_API_URL"


def is_loopback(url: str | None) -> bool:
    """Say whether an address is of this machine only."""
    if not url:
        return False
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    return host in _LOOPBACK


def is_local_engine(base_url: str | None) -> bool:
    """Say whether an engine runs on this machine."""
    return not base_url or base_url.startswith(("unix://", "http+unix://", "npipe://")) or is_loopback(base_url)


def rewritten(env: Mapping[str, str | None], network_mode: str | None) -> dict[str, str | None]:
    """Write the API's address for use in a container.

    Args:
        env: The container's environment.
        network_mode: Its network mode. With `host` it shares this machine's addresses, and nothing is rewritten.

    Returns:
        The environment, with an API on this machine named as a container names it.
    """
    url = env.get(API_URL)
    if network_mode == "host" or url is None or not is_loopback(url):
        return dict(env)
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    user, at, _ = parts.netloc.rpartition("@")
    return {**env, API_URL: urlunsplit(parts._replace(netloc=f"{user}{at}{HOST_NAME}{port}"))}
