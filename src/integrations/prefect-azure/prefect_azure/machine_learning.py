"""Azure ML datastores by azure-ai-ml, the current SDK: list, get, create, delete, upload.

The extra `machine-learning` brings the SDK. `prefect_azure.ml_datastore` keeps the tasks of the SDK before it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from prefect_integration_kit.dispatch import async_task, run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.extras import require_extra
from prefect_integration_kit.logs import run_logger

from ._blob.retries import retry_policy
from ._clients import common_options
from ._endpoints import CLOUDS, endpoint_for
from ._identity import secrets_of, token_credential
from ._ml.sdk import azure_ai_ml
from ._ml.uploads import ContainerEngine, plan_uploads, send_all
from ._ml.workspaces import failure_context, ml_client, subject_of
from ._repeating import repeated
from ._storage_account import storage_account
from .errors import AzureAlreadyExists, AzureInvalidRequest, AzureNotFound, azure_errors
from .settings import BlobSettings

if TYPE_CHECKING:
    import threading

    from azure.ai.ml.entities import AzureBlobDatastore, Datastore

    from .credentials import AzureBlobStorageCredentials, AzureMlCredentials

__all__ = ["create_blob_datastore", "delete_datastore", "get_datastore", "list_datastores", "upload_to_datastore"]

T = TypeVar("T")


def _asked(credentials: AzureMlCredentials, subject: str, call: Callable[[Any], T], secrets: Any = ()) -> T:
    datastores = ml_client(credentials).datastores

    def ask() -> T:
        context = failure_context(credentials)
        context["secrets"] = [*context.get("secrets", ()), *secrets]
        with azure_errors(subject, **context):
            return call(datastores)

    return repeated(ask)


def _subject(credentials: AzureMlCredentials, name: str | None) -> str:
    return f"{f'Datastore {name!r}' if name else 'The default datastore'} of {subject_of(credentials)}"


def _get(credentials: AzureMlCredentials, name: str | None, *, include_secrets: bool = False) -> Any:
    if name is not None and not name.strip():
        raise AzureInvalidRequest("`name` is empty; give a name, or None for the workspace's default datastore.")

    def get(datastores: Any) -> Any:
        if name:
            return datastores.get(name, include_secrets=include_secrets)
        try:
            return datastores.get_default(include_secrets=include_secrets)
        except StopIteration:
            raise AzureNotFound(f"{subject_of(credentials)} has no default datastore. Give a name.") from None

    return _asked(credentials, _subject(credentials, name), get)


@async_task()
async def list_datastores(ml_credentials: AzureMlCredentials) -> list[Datastore]:
    """List the datastores of a workspace.

    Args:
        ml_credentials: Who we are, and which workspace.

    Returns:
        The SDK's datastores, without their secrets.

    Raises:
        ImportError: If the extra `machine-learning` is not installed.
        AzureNotFound: If there is no such workspace. It is a `LookupError`.
        AzureCredentialsError: If the identity is refused.
        AzureAccessDenied: If it may not read datastores. It is a `PermissionError`.
        AzureUnavailable: If Azure did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureMlCredentials
        from prefect_azure.machine_learning import list_datastores

        @flow
        async def datastore_names() -> list[str]:
            return [store.name for store in await list_datastores(AzureMlCredentials.load("BLOCK_NAME"))]
        ```
    """
    run_logger(__name__).info("Listing datastores of %s", subject_of(ml_credentials))
    subject = f"Datastores of {subject_of(ml_credentials)}"
    return await run_sync_in_worker_thread(_asked, ml_credentials, subject, lambda stores: list(stores.list()))


@async_task()
async def get_datastore(ml_credentials: AzureMlCredentials, name: str | None = None) -> Datastore:
    """Get a datastore of a workspace.

    Args:
        ml_credentials: Who we are, and which workspace.
        name: Name of the datastore; the workspace's default one by default.

    Returns:
        The SDK's datastore, such as `azure.ai.ml.entities.AzureBlobDatastore`, without its secrets.

    Raises:
        AzureNotFound: If there is no such workspace or datastore. It is a `LookupError`.
        AzureCredentialsError: If the identity is refused.
        AzureAccessDenied: If it may not read datastores. It is a `PermissionError`.
        AzureUnavailable: If Azure did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureMlCredentials
        from prefect_azure.machine_learning import get_datastore

        @flow
        async def container_of_default_datastore() -> str:
            datastore = await get_datastore(AzureMlCredentials.load("BLOCK_NAME"))
            return datastore.container_name
        ```
    """
    run_logger(__name__).info("Getting %s", _subject(ml_credentials, name))
    return await run_sync_in_worker_thread(_get, ml_credentials, name)


@async_task()
async def create_blob_datastore(
    container_name: str,
    ml_credentials: AzureMlCredentials,
    blob_storage_credentials: AzureBlobStorageCredentials,
    name: str | None = None,
    description: str | None = None,
    overwrite: bool = False,
) -> AzureBlobDatastore:
    """Make a container of Blob Storage known to a workspace as a datastore.

    The workspace keeps the account key or SAS token of `blob_storage_credentials`. Credentials that log in with a token
    leave none: whoever uses the datastore then logs in as himself. The container is neither made nor looked at.

    Args:
        container_name: Name of the container.
        ml_credentials: Who we are, and which workspace.
        blob_storage_credentials: The storage account.
        name: Name of the datastore: letters, digits and underscores. By default that of the container, with
            underscores for hyphens.
        description: What people read about it.
        overwrite: Update a datastore of this name. Otherwise it is an error if there is one.

    Returns:
        The SDK's datastore, without its secrets.

    Raises:
        AzureAlreadyExists: If there is such a datastore and `overwrite` is false. It is a `FileExistsError`.
        AzureInvalidRequest: If the name cannot be one. It is a `ValueError`.
        AzureNotFound: If there is no such workspace.
        AzureCredentialsError: If the connection string is malformed, or the identity is refused.
        AzureAccessDenied: If it may not write datastores. It is a `PermissionError`.
        AzureUnavailable: If Azure did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureBlobStorageCredentials, AzureMlCredentials
        from prefect_azure.machine_learning import create_blob_datastore

        @flow
        async def register_images():
            await create_blob_datastore(
                "training-images",
                AzureMlCredentials.load("BLOCK_NAME"),
                AzureBlobStorageCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    chosen = name or container_name.replace("-", "_")
    run_logger(__name__).info("Creating %s", _subject(ml_credentials, chosen))
    return await run_sync_in_worker_thread(
        _create, container_name, ml_credentials, blob_storage_credentials, chosen, description, overwrite
    )


def _create(
    container_name: str,
    credentials: AzureMlCredentials,
    blob_credentials: AzureBlobStorageCredentials,
    name: str,
    description: str | None,
    overwrite: bool,
) -> Any:
    if not container_name.strip():
        raise AzureInvalidRequest("`container_name` is empty.")
    if not name.isascii() or not name.replace("_", "").isalnum():
        raise AzureInvalidRequest(f"`name`: {name!r} may have letters, digits and underscores only. Give another.")
    account = storage_account(blob_credentials)
    entities: Any = azure_ai_ml("azure.ai.ml.entities")
    subject = _subject(credentials, name)
    if not overwrite and _exists(credentials, name):
        raise AzureAlreadyExists(f"{subject} is there already. Pass overwrite=True to update it.", subject=subject)
    secret: Any = None
    if account.key:
        secret = entities.AccountKeyConfiguration(account_key=account.key)
    elif account.sas:
        secret = entities.SasTokenConfiguration(sas_token=account.sas)
    made = entities.AzureBlobDatastore(
        name=name,
        description=description,
        account_name=account.name,
        container_name=container_name,
        endpoint=account.blob_url.partition(".blob.")[2] or CLOUDS[credentials.cloud].storage_suffix,
        credentials=secret,
    )
    secrets = [*secrets_of(blob_credentials), account.key, account.sas]
    return _asked(credentials, subject, lambda datastores: datastores.create_or_update(made), secrets)


def _exists(credentials: AzureMlCredentials, name: str) -> bool:
    try:
        _get(credentials, name)
    except AzureNotFound:  # if it is the workspace that does not exist, creating says so
        return False
    return True


@async_task()
async def delete_datastore(name: str, ml_credentials: AzureMlCredentials) -> None:
    """Make a workspace forget a datastore. The container and its blobs stay.

    Args:
        name: Name of the datastore. One that does not exist is no error.
        ml_credentials: Who we are, and which workspace.

    Raises:
        AzureCredentialsError: If the identity is refused.
        AzureAccessDenied: If it may not delete datastores. It is a `PermissionError`.
        AzureUnavailable: If Azure did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureMlCredentials
        from prefect_azure.machine_learning import delete_datastore

        @flow
        async def forget_images():
            await delete_datastore("training_images", AzureMlCredentials.load("BLOCK_NAME"))
        ```
    """
    if not name.strip():
        raise AzureInvalidRequest("`name` is empty.")
    subject = _subject(ml_credentials, name)
    run_logger(__name__).info("Deleting %s", subject)
    await run_sync_in_worker_thread(_asked, ml_credentials, subject, lambda datastores: datastores.delete(name))


@async_task()
async def upload_to_datastore(
    path: str | Path | list[str | Path],
    ml_credentials: AzureMlCredentials,
    target_path: str | Path | None = None,
    relative_root: str | Path | None = None,
    name: str | None = None,
    overwrite: bool = False,
) -> str:
    """Upload files to a blob datastore, up to eight at a time.

    They are sent with the datastore's own key or SAS token; where it has none, with the identity of `ml_credentials`,
    which then needs the role Storage Blob Data Contributor.

    Args:
        path: A file, a folder with all below it, or a list of files and folders.
        ml_credentials: Who we are, and which workspace.
        target_path: Folder in the datastore's container; its root by default.
        relative_root: Folder that names in the container are relative to: `/data/2026/a.csv` below `/data` becomes
            `2026/a.csv`. By default the folder given, or the nearest folder that has all files.
        name: Name of the datastore; the workspace's default one by default.
        overwrite: Replace files that are there. Otherwise they stay as they are, and the log says how many.

    Returns:
        The [URI](https://learn.microsoft.com/azure/machine-learning/how-to-access-data-interactive) of `target_path`,
        `azureml://subscriptions/…/datastores/NAME/paths/…`, which inputs of jobs take.

    Raises:
        FileNotFoundError: If a path does not exist.
        AzureInvalidRequest: If a file is not below `relative_root`, `target_path` leaves the container, or the
            datastore is not one of blobs.
        AzureNotFound: If there is no such workspace, datastore or container.
        AzureAccessDenied: If the identity may not read the datastore or write to the container.
        AzureUnavailable: If Azure did not answer for two minutes. Files that were complete by then stay.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureMlCredentials
        from prefect_azure.machine_learning import upload_to_datastore

        @flow
        async def publish_images() -> str:
            return await upload_to_datastore(
                "images", AzureMlCredentials.load("BLOCK_NAME"), target_path="training/images", overwrite=True
            )
        ```
    """
    plan = plan_uploads(path, target_path, relative_root)  # before anybody is asked: mistakes show at once
    logger = run_logger(__name__)
    logger.info("Uploading %s files to %s", len(plan), _subject(ml_credentials, name))

    def upload(stop: threading.Event) -> str:
        datastore = _get(ml_credentials, name, include_secrets=True)
        subject = f"datastore '{datastore.name}' of {subject_of(ml_credentials)}"
        container, secrets = _container_of(datastore, ml_credentials, subject)
        with container:
            engine = ContainerEngine(container, subject, overwrite=overwrite, secrets=secrets)
            sent = send_all(plan, engine, stop)
        logger.info("Uploaded %s files to %s; %s were there and stay", sent, subject, len(engine.skipped))
        return _uri(ml_credentials, datastore.name, target_path)

    return await run_stoppable(upload)


def _container_of(datastore: Any, credentials: AzureMlCredentials, subject: str) -> tuple[Any, list[Any]]:
    """A client of the datastore's container, and what must not be in messages."""
    entities: Any = azure_ai_ml("azure.ai.ml.entities")
    if not isinstance(datastore, entities.AzureBlobDatastore):
        raise AzureInvalidRequest(
            f"{subject} is a {type(datastore).__name__}; files are uploaded to blob datastores only.", subject=subject
        )
    blobs: Any = require_extra("azure.storage.blob", distribution="prefect-azure", extra="blob-storage")
    store: Any = datastore
    secret = getattr(store.credentials, "account_key", None) or getattr(store.credentials, "sas_token", None)
    own = endpoint_for(credentials.endpoints, "blob")
    suffix = store.endpoint or CLOUDS[credentials.cloud].storage_suffix
    url = (
        f"{own.url}/{store.account_name}"
        if own
        else f"{store.protocol or 'https'}://{store.account_name}.blob.{suffix}"
    )
    credential: Any = secret or token_credential(credentials)
    if getattr(store.credentials, "account_key", None):
        credential = {"account_name": store.account_name, "account_key": secret}
    options = {**common_options(), "retry_policy": retry_policy(BlobSettings().retry_seconds)}
    client = blobs.ContainerClient(url, store.container_name, credential=credential, **options)
    return client, [*secrets_of(credentials), secret]


def _uri(credentials: AzureMlCredentials, name: str, target_path: str | Path | None) -> str:
    place = str(target_path or "").replace("\\", "/").strip("/")
    return (
        f"azureml://subscriptions/{credentials.subscription_id}/resourcegroups/{credentials.resource_group}"
        f"/workspaces/{credentials.workspace_name}/datastores/{name}/paths/{place}"
    )
