"""How Slack is reached: the fields that both blocks share, and what they mean to Slack's SDK."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import AfterValidator, Field, SecretStr

from prefect_integration_kit.endpoints import may_have_tokens
from prefect_integration_kit.redact import RedactingFilter, Secret

if TYPE_CHECKING:
    import ssl

_SHORTEST = 8
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")


def _checked_proxy(proxy: SecretStr | None) -> SecretStr | None:
    value = proxy.get_secret_value() if proxy else ""
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("proxy must have the form http://host:port or http://user:password@host:port.")
    return proxy


def checked_api_url(url: str) -> str:
    """Refuse an address that no token may be sent to, and end it with a slash.

    Raises:
        ValueError: Saying what is wrong.
    """
    url = url.strip()
    if not url.startswith(("https://", "http://")) or not url.isprintable() or " " in url:
        raise ValueError("base_url must have the form https://slack.com/api/.")
    if not may_have_tokens(url):
        raise ValueError("base_url must begin with https://: the token would be readable on the network.")
    return url if url.endswith("/") else f"{url}/"


Proxy = Annotated[
    SecretStr | None,
    AfterValidator(_checked_proxy),
    Field(
        description="HTTP proxy that leads to Slack, such as http://user:password@proxy.example.com:8080. By default "
        "the environment variables HTTPS_PROXY and HTTP_PROXY say it.",
    ),
]
CaBundle = Annotated[
    str | None,
    Field(
        title="CA Bundle",
        description="Certificates of a private authority, as of a proxy that reads along: a PEM file, or its text.",
    ),
]
TimeoutSeconds = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False, description="Seconds to wait for the connection, and for each answer."),
]
MaxAttempts = Annotated[
    int,
    Field(
        ge=1,
        description="How often a call is tried when Slack limits the rate or is unwell; 1 for no second try.",
    ),
]


class Reach(Protocol):
    """What both blocks say of the way to Slack."""

    @property
    def proxy(self) -> SecretStr | None:
        """The proxy, if it is given."""
        ...

    @property
    def ca_bundle(self) -> str | None:
        """Whom to trust, too."""
        ...

    @property
    def timeout_seconds(self) -> float:
        """How long to wait."""
        ...

    @property
    def max_attempts(self) -> int:
        """How often to try."""
        ...


def client_options(reach: Reach, *secrets: Secret, is_quiet: bool = False) -> dict[str, Any]:
    """Give the arguments that all clients of the SDK take.

    Args:
        reach: A block.
        secrets: What the client's log lines must not show.
        is_quiet: Whether the client logs nothing: we tell what happens ourselves.
    """
    options: dict[str, Any] = {
        "timeout": reach.timeout_seconds if reach.timeout_seconds % 1 else int(reach.timeout_seconds),
        "logger": _quiet_logger() if is_quiet else _logger([*secrets, reach.proxy]),
    }
    if reach.proxy is not None and reach.proxy.get_secret_value():
        options["proxy"] = reach.proxy.get_secret_value()
    if (context := tls_context_of(reach)) is not None:
        options["ssl"] = context
    return options


def parts_of_webhook(url: SecretStr) -> list[Secret]:
    """List what of a webhook's URL must not be shown: the whole, its path, and the secret at its end."""
    path = url.get_secret_value().partition("://")[2].partition("/")[2]
    return [url, *(part for part in (path, path.rpartition("/")[2]) if len(part) >= _SHORTEST)]


def tls_context_of(reach: Reach) -> ssl.SSLContext | None:
    """Make the context that trusts the block's authority; `None` for the system's own."""
    if reach.ca_bundle is None:
        return None
    from prefect_integration_kit.tls import tls_context

    return tls_context(reach.ca_bundle)


def proxy_of(reach: Reach) -> str | None:
    """Find the proxy as Slack's SDK does: the block's, else that of the environment."""
    if reach.proxy is not None and reach.proxy.get_secret_value():
        return reach.proxy.get_secret_value()
    return next((os.environ[name] for name in _PROXY_VARIABLES if os.environ.get(name, "").strip()), None)


def _logger(secrets: list[Secret]) -> logging.Logger:
    """Make a logger of the SDK's name for one client, which masks that client's secrets."""
    logger = logging.Logger("slack_sdk")  # noqa: LOG001 - a registered one would be kept, with the secrets, for ever
    logger.parent = logging.getLogger("slack_sdk")
    logger.addFilter(RedactingFilter([*secrets, *(os.environ.get(name) for name in _PROXY_VARIABLES)]))
    return logger


def _quiet_logger() -> logging.Logger:
    logger = logging.Logger("slack_sdk", level=logging.CRITICAL + 1)  # noqa: LOG001 - it must be ours alone
    logger.disabled = True
    return logger
