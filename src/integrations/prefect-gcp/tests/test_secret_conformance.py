"""The conformance suite of secret blocks."""

from __future__ import annotations

import uuid

import pytest

from prefect_gcp.secret_manager import GcpSecret
from prefect_integration_tests.backends.google_grpc import GoogleGrpc
from prefect_integration_tests.suites import SecretSuite

from ._secrets import credentials_for, secret_manager


class TestGcpSecret(SecretSuite):
    supports_empty = False
    large_bytes = 65_536

    @pytest.fixture
    def secret(self, empty_google_grpc: GoogleGrpc) -> GcpSecret:
        secret_manager(empty_google_grpc)
        return GcpSecret(gcp_credentials=credentials_for(empty_google_grpc), secret_name=f"secret-{uuid.uuid4().hex}")

    def name_of(self, secret: GcpSecret) -> str:
        return secret.secret_name
