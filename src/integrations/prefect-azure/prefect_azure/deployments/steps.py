"""Deployment steps that keep a project's files in Blob Storage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from typing_extensions import TypedDict

from prefect_azure._blob.folders import AzureFolders
from prefect_azure._stand_ins import sdk_class, stand_in
from prefect_azure.credentials import AzureBlobStorageCredentials
from prefect_integration_kit.files import ignore_lines_if_any
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.paths import folder_prefix

__all__ = [
    "PullFromAzureBlobStorageOutput",
    "PushToAzureBlobStorageOutput",
    "pull_from_azure_blob_storage",
    "push_to_azure_blob_storage",
]


_SERVICE_PRINCIPAL = ("tenant_id", "client_id", "client_secret")
_OTHER_WAYS = ("identity", "certificate", "federated_token_file", "account_key", "sas_token")
# Names of the SDKs that can be imported from here, and where they are; importing them takes seconds.
_SDK_NAMES = {
    "ClientSecretCredential": ("azure.identity", "ClientSecretCredential"),
    "ContainerClient": ("azure.storage.blob", "ContainerClient"),
    "DefaultAzureCredential": ("azure.identity", "DefaultAzureCredential"),
}


def __getattr__(name: str) -> Any:
    if name not in _SDK_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return sdk_class(__name__, name, *_SDK_NAMES[name])


class PushToAzureBlobStorageOutput(TypedDict):
    """What `push_to_azure_blob_storage` gives to later steps.

    Attributes:
        container: Name of the container.
        folder: Folder in the container, as it was given.
    """

    container: str
    folder: str


class PullFromAzureBlobStorageOutput(TypedDict):
    """What `pull_from_azure_blob_storage` gives to later steps.

    Attributes:
        container: Name of the container.
        folder: Folder in the container, as it was given.
        directory: Absolute path of the local folder that holds the files.
    """

    container: str
    folder: str
    directory: str


def push_to_azure_blob_storage(
    container: str,
    folder: str,
    credentials: dict[str, Any],
    ignore_file: str | None = ".prefectignore",
) -> PushToAzureBlobStorageOutput:
    """Upload the working directory to a folder of a container, in place of what is there.

    Args:
        container: Name of the container.
        folder: Folder in the container; empty for the whole container.
        credentials: Fields of an Azure Blob Storage Credentials block: `connection_string`, or `account_url`, which
            alone means the default Azure credential, and with `tenant_id`, `client_id` and `client_secret` a service
            principal. If both are given, `connection_string` is used. Of a service principal that is not given whole,
            nothing is used: the default Azure credential logs in.
        ignore_file: File with the patterns of what to leave out, written as in `.gitignore`. One that does not exist
            leaves out nothing.

    Returns:
        The container and the folder.

    Raises:
        ContainerNotFound: If there is no such container.
        AzureAccessDenied: If the credentials may not write to it.
        AzureCredentialsError: If they are malformed, or Azure does not accept them. It is a `ValueError`.
        ValueError: If `credentials` or the name of the container is not valid.

    Examples:
        Push with the credentials of a saved block:
        ```yaml
        push:
          - prefect_azure.deployments.steps.push_to_azure_blob_storage:
              requires: prefect-azure[blob-storage]
              container: shop-flows
              folder: nightly/stock-import
              credentials: "{{ prefect.blocks.azure-blob-storage-credentials.shop-store }}"
        ```

        Push with the identity of the machine:
        ```yaml
        push:
          - prefect_azure.deployments.steps.push_to_azure_blob_storage:
              requires: prefect-azure[blob-storage]
              container: shop-flows
              folder: nightly/stock-import
              credentials:
                account_url: https://shopflows.blob.core.windows.net
        ```
    """
    folders = _open(container, credentials)
    lines = ignore_lines_if_any(ignore_file)
    folders.upload_folder(Path.cwd(), folder_prefix("", folder), ignore_lines=lines)
    return {"container": container, "folder": folder}


def pull_from_azure_blob_storage(
    container: str,
    folder: str,
    credentials: dict[str, Any],
) -> PullFromAzureBlobStorageOutput:
    """Download a folder of a container to the working directory.

    Blobs that only mark a folder, as accounts with a hierarchical namespace have them, become no files.

    Args:
        container: Name of the container.
        folder: Folder in the container; empty for the whole container. `app` does not bring the files of `app2`.
        credentials: Fields of an Azure Blob Storage Credentials block: `connection_string`, or `account_url`, which
            alone means the default Azure credential, and with `tenant_id`, `client_id` and `client_secret` a service
            principal. If both are given, `connection_string` is used. Of a service principal that is not given whole,
            nothing is used: the default Azure credential logs in.

    Returns:
        The container, the folder, and the local directory.

    Raises:
        PathEscapes: If a key would be written outside the working directory; no such file is written. It is a
            `ValueError`.
        ContainerNotFound: If there is no such container.
        AzureAccessDenied: If the credentials may not read it.
        AzureCredentialsError: If they are malformed, or Azure does not accept them. It is a `ValueError`.
        ValueError: If `credentials` or the name of the container is not valid.

    Examples:
        Pull with the credentials of a saved block:
        ```yaml
        pull:
          - prefect_azure.deployments.steps.pull_from_azure_blob_storage:
              requires: prefect-azure[blob-storage]
              container: shop-flows
              folder: nightly/stock-import
              credentials: "{{ prefect.blocks.azure-blob-storage-credentials.shop-store }}"
        ```

        Pull with the identity of the machine:
        ```yaml
        pull:
          - prefect_azure.deployments.steps.pull_from_azure_blob_storage:
              requires: prefect-azure[blob-storage]
              container: shop-flows
              folder: nightly/stock-import
              credentials:
                account_url: https://shopflows.blob.core.windows.net
        ```
    """
    directory = Path.cwd()
    _open(container, credentials).download_folder(folder_prefix("", folder), directory)
    return {"container": container, "folder": folder, "directory": str(directory)}


def _open(container: str, credentials: Mapping[str, Any] | AzureBlobStorageCredentials) -> AzureFolders:
    block = _block(credentials)
    if (make := stand_in("ContainerClient", __name__)) is not None:
        return _by_stand_in(make, block, container)
    return AzureFolders.open(block, container)


def _by_stand_in(make: Any, block: AzureBlobStorageCredentials, container: str) -> AzureFolders:
    """A container by what a test has put in the place of the SDK's client."""
    from prefect_azure._blob.own_clients import OwnContainer
    from prefect_azure._identity import plain_credential

    if block.connection_string is not None:
        client = make.from_connection_string(block.connection_string.get_secret_value(), container_name=container)
    else:
        credential = plain_credential(block, __name__)
        client = make(account_url=block.account_url, container_name=container, credential=credential)
    return AzureFolders(block, OwnContainer(client), container, native_transfer=False)


def _block(credentials: object) -> AzureBlobStorageCredentials:
    if isinstance(credentials, AzureBlobStorageCredentials):  # of a caller in Python
        return credentials
    if not isinstance(credentials, Mapping):
        raise ValueError(  # noqa: TRY004 - what is wrong with YAML is a wrong value
            f"credentials is of type {type(credentials).__name__}; it must be a mapping of the fields of an Azure Blob "
            "Storage Credentials block, or a reference to one, "
            '"{{ prefect.blocks.azure-blob-storage-credentials.NAME }}".'
        )
    given = cast("Mapping[str, Any]", credentials)
    values = {name: value for name, value in given.items() if value is not None}
    values.pop("block_type_slug", None)
    if values.get("connection_string"):
        # It says who we are and where.
        for name in ("account_url", *_SERVICE_PRINCIPAL):
            values.pop(name, None)
    missing = [name for name in _SERVICE_PRINCIPAL if not values.get(name)]
    if 0 < len(missing) < len(_SERVICE_PRINCIPAL) and not any(values.get(name) for name in _OTHER_WAYS):
        # The block refuses that; steps are documented to look for another identity.
        run_logger(__name__).warning(
            "credentials lacks %s, so no service principal logs in, but the default Azure credential.",
            " and ".join(missing),
        )
        for name in _SERVICE_PRINCIPAL:
            values.pop(name, None)
    return AzureBlobStorageCredentials(**values)
