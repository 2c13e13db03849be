"""Git hosts with an API beside their repositories: the address of an instance, and what is warned of."""

from __future__ import annotations

from urllib.parse import urlsplit

from .logs import Log


def instance_address(url: str | None, example: str, fields: str) -> str | None:
    """Check the address of an instance; an empty one, as a user interface sends it, means none.

    Args:
        url: What was given.
        example: What it is to look like, for the error.
        fields: Fields that credentials belong into, for the error.

    Raises:
        ValueError: If there are credentials in it, a query, or white space; the error does not show it.
    """
    if url is None or not (text := url.strip()):
        return None
    if "@" in text or not text.isprintable() or any(mark in text for mark in "?# "):
        raise ValueError(
            f"url is the address of the instance alone, such as {example}; credentials belong into {fields}."
        )
    return text


def with_scheme(url: str) -> str:
    """Complete an address that has no scheme: https is meant."""
    return url if "://" in url else f"https://{url}"


def warn_of_exposure(logger: Log, url: str, *, verify: bool = True) -> None:
    """Warn where credentials for an API can be read on the way: over http, or at a host that need not prove itself.

    Args:
        logger: Told of it.
        url: Address that requests are sent to.
        verify: Whether the host must prove who it is.
    """
    parts = urlsplit(url)
    name = parts.hostname or ""
    is_loopback = name in ("localhost", "::1") or name.startswith("127.")
    if parts.scheme == "http" and not is_loopback:
        logger.warning(
            "The credentials for %s go over http, where anybody on the way can read them. Use https.", parts.netloc
        )
    if not verify:
        logger.warning(
            "The certificate of %s is not checked: anybody on the way can read the credentials. Set ca_bundle to its "
            "authority instead.",
            parts.netloc,
        )
