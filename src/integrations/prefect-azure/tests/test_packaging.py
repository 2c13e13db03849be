"""Extras can be asked for in both spellings, also by installers that do not normalise names."""

from __future__ import annotations

from prefect_integration_tests.suites import ExtrasSuite

_EXTRAS = {
    "blob_storage": frozenset({"azure-storage-blob"}),
    "container_apps": frozenset({"azure-mgmt-appcontainers"}),
    "cosmos_db": frozenset({"azure-cosmos"}),
    "data_lake": frozenset({"azure-storage-file-datalake"}),
    "key_vault": frozenset({"azure-keyvault-secrets"}),
    "ml_datastore": frozenset({"azureml-core", "setuptools"}),
    "service_bus": frozenset({"azure-servicebus"}),
}


class TestExtras(ExtrasSuite):
    extras = {  # noqa: RUF012 - a constant of the suite
        **_EXTRAS,
        "all_extras": frozenset().union(*_EXTRAS.values()),
        "fast": frozenset({"obstore"}),
        "machine_learning": frozenset({"azure-ai-ml"}),
    }
