"""How the observer calls AWS."""

from __future__ import annotations

from typing import Any

from .._clients import client_for
from .._ecs.calls import MAX_THREADS
from ..credentials import AwsCredentials

_NO_RETRIES = {"retries": {"mode": "standard", "total_max_attempts": 1}}
"""The observer backs off by itself, for ever, and between two tries it holds no thread."""


def open_client(service: str, region: str | None = None) -> Any:
    """The kept client of a service, with the credentials that boto3 finds.

    Args:
        service: Name of the service.
        region: Region; that of the environment or the profile when not given.

    Raises:
        AwsRegionMissing: If no region is given or found.
        AwsCredentialsMissing: If the profile that the environment names does not exist.
    """
    credentials = AwsCredentials(region_name=region)
    return client_for(credentials, service, max_pool_connections=MAX_THREADS, config=_NO_RETRIES)


def region_of(arn: str) -> str | None:
    """Read the region of an ARN (`arn:partition:service:region:account:resource`); `None` if it has none."""
    parts = arn.split(":", 5)
    return parts[3] or None if len(parts) == 6 and parts[0] == "arn" else None
