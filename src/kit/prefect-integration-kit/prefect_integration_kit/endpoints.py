"""Addresses of services that a block gives, such as those of private links, proxies and emulators."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

_NOT_IN_HOSTS = re.compile(r"[\s<>\"'\\{}|^`]")


def is_loopback(host: str) -> bool:
    """Say whether a host name or address is this machine's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def may_have_tokens(url: str) -> bool:
    """Say whether a token may be sent to a URL: over TLS, or to this machine."""
    return url.startswith("https://") or is_loopback(urlsplit(url).hostname or "")


def check_address(url: str, what: str) -> str:
    """Refuse what is not `https://host[:port]` or `http://host[:port]`.

    Args:
        url: The address.
        what: What it is, for the message, which does not repeat the address: it may hold a password.

    Returns:
        The address without a slash at the end.

    Raises:
        ValueError: Saying what is wrong.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    # `urlsplit` leaves line breaks out.
    if parts.scheme not in ("http", "https") or not host or not url.strip().isprintable():
        raise ValueError(f"{what} must have the form https://host[:port].")
    if "@" in parts.netloc or parts.query or parts.fragment or parts.path.strip("/"):
        raise ValueError(f"{what} must be https://host[:port], without a user, path or query.")
    return f"{parts.scheme}://{parts.netloc}"


def host_address(host: str, field: str, example: str, what_is_sent: str = "the token") -> str:
    """Make the address of a host that a user gave, with or without a scheme.

    Args:
        host: A host, with a port if need be. The scheme `https://` may stand in front of it; `http://` only if the host
            is this machine.
        field: Name of what the user gave, for messages.
        example: A host as it should be given, for messages.
        what_is_sent: The secret that is sent there, for messages.

    Returns:
        The address without a slash at the end, such as `https://example.com`.

    Raises:
        ValueError: If it is no host, or a secret would be sent in the clear.
    """
    given = host.strip()
    address = given if "://" in given else f"https://{given}"
    checked = check_address(address, f"{field} must be a host such as {example}. As an address it")
    netloc = checked.partition("://")[2]
    if _NOT_IN_HOSTS.search(netloc):
        raise ValueError(f"{field} must be a host such as {example}, without spaces or quotes.")
    if not may_have_tokens(checked):
        raise ValueError(
            f"{field} starts with http://, which would send {what_is_sent} in the clear. Leave the scheme out: "
            "https is used."
        )
    return checked


def check_endpoints(
    endpoints: Mapping[str, str],
    services: Sequence[str],
    field: str,
    check: Callable[[str, str], str] = check_address,
) -> dict[str, str]:
    """Refuse services that do not exist and addresses that are none.

    Args:
        endpoints: Names of services, and their addresses.
        services: The names that there are.
        field: Name of the block's field, for the message.
        check: Checks one address, as `check_address` does.

    Returns:
        The addresses as `check` gives them.

    Raises:
        ValueError: Naming the service and what is wrong.
    """
    checked: dict[str, str] = {}
    for service, url in endpoints.items():
        if service not in services:
            near = difflib.get_close_matches(service, services, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known are: {', '.join(services)}."
            raise ValueError(f"{field}: no service is called {service!r}.{hint}")
        checked[service] = check(url, f"{field}: the address of {service!r}")
    return checked
