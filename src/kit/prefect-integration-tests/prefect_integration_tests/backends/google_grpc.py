"""Google's gRPC services on this machine: Secret Manager and the jobs of Vertex AI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ._google.grpc_server import GoogleGrpc, GrpcCall, GrpcRefused, GrpcService
from ._google.vertex import Life, VertexJobs

__all__ = ["GoogleGrpc", "GrpcCall", "GrpcRefused", "GrpcService", "Life", "VertexJobs"]


@pytest.fixture(scope="session")
def google_grpc() -> Iterator[GoogleGrpc]:
    """A gRPC server for the whole session; see `GoogleGrpc` for what it offers.

    `google_grpc.service(VertexJobs)` is one of its services.
    """
    with GoogleGrpc.start(VertexJobs()) as server:
        yield server


@pytest.fixture
def empty_google_grpc(google_grpc: GoogleGrpc) -> GoogleGrpc:
    """`google_grpc` with nothing in it, and with nothing that fails."""
    google_grpc.reset()
    return google_grpc
