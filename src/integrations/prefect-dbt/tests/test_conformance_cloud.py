"""The conformance suite of credentials, for those of dbt Cloud."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from prefect_dbt.cloud import DbtCloudCredentials
from prefect_integration_tests.suites import CredentialsSuite


class TestDbtCloudCredentials(CredentialsSuite):
    get_client_kwargs: ClassVar[dict[str, Any]] = {"client_type": "administrative"}

    @pytest.fixture
    def credentials(self, canary: str) -> DbtCloudCredentials:
        return DbtCloudCredentials(api_key=canary, account_id=1)  # pyright: ignore[reportArgumentType]
