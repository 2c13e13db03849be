"""The Storage Read API: rows as Arrow over gRPC, where it is installed and within reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_kit.extras import is_installed
from prefect_integration_kit.logs import run_logger

from .._clients import bigquery_storage_client
from .._endpoints import endpoint_for
from ..errors import GcpAccessDenied, GcpError, GcpInvalidRequest, GcpNotFound
from .sdk import is_googles, is_stand_in

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from ..credentials import GcpCredentials


def read_client(credentials: GcpCredentials, client: Client) -> Any:
    """Get a client of the Storage Read API.

    Args:
        credentials: Who we are.
        client: The client of BigQuery itself.

    Returns:
        The client; `None` where the distribution is missing, or BigQuery is an emulator and the block names no address
        for `bigquerystorage`.
    """
    if is_stand_in(client) or not is_installed("google.cloud.bigquery_storage"):
        return None
    if not is_googles(client) and endpoint_for(credentials.api_endpoints, "bigquerystorage") is None:
        return None
    return bigquery_storage_client(credentials)


REFUSALS = (GcpAccessDenied, GcpNotFound, GcpInvalidRequest)
"""What a read session is answered with that this identity may not open, or for results that are no table."""


def told(error: GcpError, subject: str) -> None:
    """Say that rows come by REST instead."""
    run_logger(__name__).warning(
        "%s: the Storage Read API cannot be used, reading through the slower REST API: %s", subject, error
    )
