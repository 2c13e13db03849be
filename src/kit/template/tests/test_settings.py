"""Environment variables change what happens, and bad values are refused by name."""

import pytest

from prefect_acme import AcmeCredentials, AcmeUnavailable
from prefect_acme.settings import AcmeSettings


def test_the_timeout_is_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("PREFECT_INTEGRATIONS_ACME_TIMEOUT_SECONDS", "7")
    with AcmeCredentials(api_token="t").get_client() as client:
        assert client.timeout.read == 7


def test_repeating_can_be_switched_off(monkeypatch, acme, bucket):
    monkeypatch.setenv("PREFECT_INTEGRATIONS_ACME_RETRY_SECONDS", "0")
    acme.failures = [(503, {})] * 2
    with pytest.raises(AcmeUnavailable):
        bucket.read_path("a")
    assert acme.requests == 1


def test_a_bad_value_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("PREFECT_INTEGRATIONS_ACME_TIMEOUT_SECONDS", "-1")
    with pytest.raises(ValueError, match="timeout_seconds"):
        AcmeSettings()
