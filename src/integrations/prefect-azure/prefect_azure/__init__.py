"""Prefect on Azure: credentials, storage, databases, secrets, messages, repositories and workers."""

from importlib.metadata import version

from .blob_storage import AzureBlobStorageContainer
from .container_apps import ContainerAppJob
from .credentials import (
    AzureBlobStorageCredentials,
    AzureContainerInstanceCredentials,
    AzureCosmosDbCredentials,
    AzureCredentials,
    AzureDevopsCredentials,
    AzureMlCredentials,
)
from .key_vault import AzureKeyVaultSecret
from .repository import AzureDevopsRepository
from .service_bus import AzureServiceBusCredentials, ServiceBusQueue
from .workers.container_apps import AzureContainerAppJobWorker
from .workers.container_instance import AzureContainerWorker

__version__ = version("prefect-azure")

__all__ = [
    "AzureBlobStorageContainer",
    "AzureBlobStorageCredentials",
    "AzureContainerAppJobWorker",
    "AzureContainerInstanceCredentials",
    "AzureContainerWorker",
    "AzureCosmosDbCredentials",
    "AzureCredentials",
    "AzureDevopsCredentials",
    "AzureDevopsRepository",
    "AzureKeyVaultSecret",
    "AzureMlCredentials",
    "AzureServiceBusCredentials",
    "ContainerAppJob",
    "ServiceBusQueue",
]
