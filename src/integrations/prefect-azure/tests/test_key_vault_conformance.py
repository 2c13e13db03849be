"""The conformance suite of secret blocks."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from prefect_azure.key_vault import AzureKeyVaultSecret
from prefect_integration_tests.backends.key_vault import KeyVault
from prefect_integration_tests.suites import SecretSuite

from ._key_vault import VAULT_URL, credentials_for


class TestAzureKeyVaultSecret(SecretSuite):
    large_bytes = 19_000  # in base64, since it is no text

    @pytest.fixture
    def secret(self, vault: KeyVault) -> AzureKeyVaultSecret:
        return AzureKeyVaultSecret(
            secret_name=f"secret-{uuid.uuid4().hex}", vault_url=VAULT_URL, credentials=credentials_for(vault)
        )

    def name_of(self, secret: Any) -> str:
        return secret.secret_name
