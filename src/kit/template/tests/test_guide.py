"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from prefect_acme import AcmeBucket, AcmeCredentials
from prefect_integration_tests.suites import GuideSuite


class TestGuide(GuideSuite):
    distribution = "prefect-acme"

    @pytest.fixture
    def surroundings(self, page_folder: Path, acme: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        """A server with a report, credentials for it, and a reader who answers what he is asked."""
        acme.objects["/buckets/reports/daily.csv"] = b"north,7"
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": "token")
        credentials = AcmeCredentials(api_token="token", url=acme.url)
        return lambda: credentials.save("acme", overwrite=True)

    @pytest.fixture
    def provocations(self, acme: Any, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Callable[[], object]]:
        def read(path: str, token: str = "good", url: str = acme.url) -> bytes:
            credentials = AcmeCredentials(api_token=token, url=url)
            return AcmeBucket(bucket_name="reports", credentials=credentials).read_path(path)

        acme.tokens.add("good")
        monkeypatch.setenv("PREFECT_INTEGRATIONS_ACME_RETRY_SECONDS", "0")
        return {
            "An object is not found": lambda: read("missing.csv"),
            "The token is refused": lambda: read("daily.csv", token="bad"),
            "Acme cannot be reached": lambda: read("daily.csv", url="http://127.0.0.1:9"),
        }
