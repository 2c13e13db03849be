"""Ask for what an extra brings that is not installed, and for the variables of a work pool."""

from __future__ import annotations

from prefect import flow

from prefect_azure import AzureBlobStorageCredentials, AzureContainerWorker


@flow
def prepare() -> list[bool]:
    """Look at the variables, and ask for a client."""
    variables = AzureContainerWorker.get_default_base_job_template()["variables"]["properties"]
    store = AzureBlobStorageCredentials(connection_string="UseDevelopmentStorage=true")
    message = ""
    try:
        store.get_client()
    except ImportError as exc:
        message = str(exc)
    return ["resource_group_name" in variables, 'pip install "prefect-azure[blob-storage]"' in message]


print(prepare())
