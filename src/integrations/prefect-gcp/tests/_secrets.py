"""Secret Manager on this machine, and credentials that reach it."""

from __future__ import annotations

import contextlib

from prefect_gcp import GcpCredentials
from prefect_integration_tests.backends._google.secrets import SecretManager
from prefect_integration_tests.backends.google_grpc import GoogleGrpc

PROJECT = "shop"


def secret_manager(server: GoogleGrpc) -> SecretManager:
    """Offer Secret Manager on a server, or find that it does.

    Args:
        server: The gRPC server.
    """
    with contextlib.suppress(KeyError):
        return server.service(SecretManager)
    return server.add(SecretManager())


def credentials_for(server: GoogleGrpc) -> GcpCredentials:
    """Make a block for a server.

    Args:
        server: The gRPC server.
    """
    return GcpCredentials(project=PROJECT, api_endpoints={"secretmanager": server.endpoint})
