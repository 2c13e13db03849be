"""Extras can be asked for in both spellings, also by installers that do not normalise names."""

from __future__ import annotations

from prefect_integration_tests.suites import ExtrasSuite

_EXTRAS = {
    "aiplatform": frozenset({"google-cloud-aiplatform"}),
    "bigquery": frozenset({"google-cloud-bigquery", "google-cloud-bigquery-storage"}),
    "cloud_storage": frozenset({"google-cloud-storage"}),
    "secret_manager": frozenset({"google-cloud-secret-manager"}),
}


class TestExtras(ExtrasSuite):
    extras = {  # noqa: RUF012 - a constant of the suite
        **_EXTRAS,
        "all_extras": frozenset().union(*_EXTRAS.values()),
        "fast": frozenset({"obstore"}),
    }
