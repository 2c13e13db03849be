"""Azure ML datastores by azureml-core, the SDK before the present one: list, get, upload, register.

The extra `ml-datastore` brings that SDK, which is made for Python up to 3.11. `prefect_azure.machine_learning` does the
same with the current SDK, azure-ai-ml.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from prefect import task

from prefect_integration_kit.dispatch import async_task, run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger

from ._identity import secrets_of
from ._ml.sdk import azureml_core
from ._ml.uploads import ContainerEngine, plan_uploads, send_all
from ._ml.workspaces import failure_context, subject_of
from ._repeating import repeated
from ._stand_ins import is_of_sdk, sdk_class, stand_in
from ._storage_account import storage_account
from .errors import AzureCredentialsError, AzureInvalidRequest, AzureNotFound, azure_errors

if TYPE_CHECKING:
    import threading

    from azureml.core.datastore import Datastore
    from azureml.data.azure_storage_datastore import AzureBlobDatastore
    from azureml.data.data_reference import DataReference

    from prefect_integration_kit.transfer import Upload

    from .credentials import AzureBlobStorageCredentials, AzureMlCredentials

__all__ = ["ml_get_datastore", "ml_list_datastores", "ml_register_datastore_blob_container", "ml_upload_datastore"]

T = TypeVar("T")

# A name of the SDK that can be imported from here, and where it is; importing it takes seconds.
_SDK_NAMES = {"Datastore": ("azureml.core.datastore", "Datastore")}


def __getattr__(name: str) -> Any:
    if name not in _SDK_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return sdk_class(__name__, name, *_SDK_NAMES[name])


def _datastores() -> Any:
    """The SDK's `Datastore`, or what a test has put in its place."""
    return stand_in("Datastore", __name__) or azureml_core("azureml.core.datastore").Datastore


def _asked(credentials: AzureMlCredentials, subject: str, call: Callable[[Any], T]) -> T:
    """Open the workspace and ask; both are repeated while Azure is not available."""
    workspace = credentials.get_workspace()

    def ask() -> T:
        with azure_errors(subject, **failure_context(credentials)):
            return call(workspace)

    return repeated(ask)


def _datastore(credentials: AzureMlCredentials, name: str | None) -> Any:
    datastores = _datastores()
    if name is not None and not name.strip():
        raise AzureInvalidRequest("`datastore_name` is empty; give a name, or None for the workspace's default.")
    subject = f"{f'Datastore {name!r}' if name else 'The default datastore'} of {subject_of(credentials)}"

    def get(workspace: Any) -> Any:
        return datastores.get(workspace, name) if name else datastores.get_default(workspace)

    return _asked(credentials, subject, get)


@task
def ml_list_datastores(ml_credentials: AzureMlCredentials) -> dict[str, Any]:
    """List the datastores of a workspace.

    It is a plain function in async flows, too, as published; there it keeps the event loop waiting.

    Args:
        ml_credentials: Who we are, and which workspace.

    Returns:
        The SDK's datastores by name.

    Raises:
        ImportError: If azureml-core is not installed, or does not load on this Python.
        AzureNotFound: If there is no such workspace. It is a `LookupError`.
        AzureCredentialsError: If the service principal is refused.
        AzureAccessDenied: If it may not read the workspace or its datastores. It is a `PermissionError`.
        AzureUnavailable: If Azure did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureMlCredentials
        from prefect_azure.ml_datastore import ml_list_datastores

        @flow
        def datastore_names() -> list[str]:
            return sorted(ml_list_datastores(AzureMlCredentials.load("BLOCK_NAME")))
        ```
    """
    run_logger(__name__).info("Listing datastores of %s", subject_of(ml_credentials))
    return _asked(
        ml_credentials, f"Datastores of {subject_of(ml_credentials)}", lambda workspace: dict(workspace.datastores)
    )


@async_task()
async def ml_get_datastore(ml_credentials: AzureMlCredentials, datastore_name: str | None = None) -> Datastore:
    """Get a datastore of a workspace.

    Args:
        ml_credentials: Who we are, and which workspace.
        datastore_name: Name of the datastore; the workspace's default one by default.

    Returns:
        The SDK's datastore, such as `azureml.data.azure_storage_datastore.AzureBlobDatastore`.

    Raises:
        ImportError: If azureml-core is not installed, or does not load on this Python.
        AzureNotFound: If there is no such workspace or datastore. It is a `LookupError`.
        AzureCredentialsError: If the service principal is refused.
        AzureAccessDenied: If it may not read them. It is a `PermissionError`.
        AzureUnavailable: If Azure did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureMlCredentials
        from prefect_azure.ml_datastore import ml_get_datastore

        @flow
        async def container_of_default_datastore() -> str:
            datastore = await ml_get_datastore(AzureMlCredentials.load("BLOCK_NAME"))
            return datastore.container_name
        ```
    """
    run_logger(__name__).info("Getting datastore %s of %s", datastore_name or "by default", subject_of(ml_credentials))
    return await run_sync_in_worker_thread(_datastore, ml_credentials, datastore_name)


@async_task()
async def ml_upload_datastore(
    path: str | Path | list[str | Path],
    ml_credentials: AzureMlCredentials,
    target_path: str | Path | None = None,
    relative_root: str | Path | None = None,
    datastore_name: str | None = None,
    overwrite: bool = False,
) -> DataReference:
    """Upload files to a datastore, up to eight at a time.

    A file that cannot be uploaded is an error; only for file shares, which azureml-core uploads to by itself, the SDK
    logs it and goes on.

    Args:
        path: A file, a folder with all below it, or a list of files and folders.
        ml_credentials: Who we are, and which workspace.
        target_path: Folder in the datastore's container; its root by default.
        relative_root: Folder that names in the container are relative to: `/data/2026/a.csv` below `/data` becomes
            `2026/a.csv`. By default the folder given, or the nearest folder that has all files.
        datastore_name: Name of the datastore; the workspace's default one by default.
        overwrite: Replace files that are there. Otherwise they stay as they are, and the log says how many.

    Returns:
        The SDK's reference to `target_path` on the datastore.

    Raises:
        FileNotFoundError: If a path does not exist.
        AzureInvalidRequest: If a file is not below `relative_root`, or `target_path` leaves the container.
        AzureNotFound: If there is no such workspace, datastore or container.
        AzureCredentialsError: If the service principal, or the datastore's own key, is refused.
        AzureUnavailable: If Azure did not answer for two minutes. Files that were complete by then stay.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureMlCredentials
        from prefect_azure.ml_datastore import ml_upload_datastore

        @flow
        async def publish_images():
            await ml_upload_datastore(
                "images",
                AzureMlCredentials.load("BLOCK_NAME"),
                target_path="training/images",
                overwrite=True,
            )
        ```
    """
    plan = plan_uploads(path, target_path, relative_root)  # before anybody is asked: mistakes show at once
    logger = run_logger(__name__)
    logger.info("Uploading %s files to %s", len(plan), subject_of(ml_credentials))

    def upload(stop: threading.Event) -> Any:
        datastore = _datastore(ml_credentials, datastore_name)
        subject = f"datastore '{datastore.name}' of {subject_of(ml_credentials)}"
        container = _container_of(datastore, subject)
        if container is None:
            return _upload_by_sdk(datastore, plan, path, target_path, relative_root, overwrite)
        secrets = [datastore.account_key, datastore.sas_token]
        engine = ContainerEngine(container, subject, overwrite=overwrite, secrets=secrets)
        sent = send_all(plan, engine, stop)
        logger.info("Uploaded %s files to %s; %s were there and stay", sent, subject, len(engine.skipped))
        reference: Any = azureml_core("azureml.data.data_reference")
        return reference.DataReference(datastore=datastore, path_on_datastore=str(target_path or ""))

    return await run_stoppable(upload)


def _container_of(datastore: Any, subject: str) -> Any:
    """The client of a blob datastore's container; `None` for other datastores."""
    if stand_in("Datastore", __name__) is not None:
        return None
    sdk: Any = azureml_core("azureml.data.azure_storage_datastore")
    if not isinstance(datastore, sdk.AzureBlobDatastore):
        return None
    if not datastore.account_key and not datastore.sas_token:
        raise AzureCredentialsError(
            f"{subject}: azureml-core uploads with the datastore's own key or SAS token only, and it has none. "
            "Register it with one, or use prefect_azure.machine_learning.upload_to_datastore, which uses the block's "
            "identity.",
            subject=subject,
        )
    service: Any = datastore.blob_service
    return service.get_container_client(datastore.container_name)


def _upload_by_sdk(
    datastore: Any,
    plan: list[Upload],
    path: Any,
    target_path: str | Path | None,
    relative_root: str | Path | None,
    overwrite: bool,
) -> Any:
    """Let azureml-core upload: to file shares. It logs the failure of a file and goes on."""
    options: dict[str, Any] = {
        "target_path": str(target_path) if target_path is not None else None,
        "overwrite": overwrite,
        "show_progress": False,
    }
    if isinstance(path, str | Path) and Path(path).is_dir():
        return datastore.upload(src_dir=str(path), **options)
    root = str(relative_root) if relative_root is not None else None
    return datastore.upload_files(files=[str(each.source) for each in plan], relative_root=root, **options)


@async_task()
async def ml_register_datastore_blob_container(
    container_name: str,
    ml_credentials: AzureMlCredentials,
    blob_storage_credentials: AzureBlobStorageCredentials,
    datastore_name: str | None = None,
    create_container_if_not_exists: bool = False,
    overwrite: bool = False,
    set_as_default: bool = False,
) -> AzureBlobDatastore:
    """Register a container of Blob Storage as a datastore of a workspace.

    The workspace keeps the account key or SAS token of `blob_storage_credentials`. Credentials that log in with a token
    leave none: whoever uses the datastore then logs in as himself.

    Args:
        container_name: Name of the container.
        ml_credentials: Who we are, and which workspace.
        blob_storage_credentials: The storage account.
        datastore_name: Name of the datastore; that of the container by default.
        create_container_if_not_exists: Have Azure make the container if there is none.
        overwrite: Update a datastore of this name. Otherwise it is an error if there is one.
        set_as_default: Make it the workspace's default datastore.

    Returns:
        The SDK's datastore.

    Raises:
        AzureInvalidRequest: If the name cannot be one, or there is such a datastore and `overwrite` is false. It is a
            `ValueError`.
        AzureCredentialsError: If the connection string is malformed, or the service principal is refused.
        AzureAccessDenied: If it may not register datastores. It is a `PermissionError`.
        AzureUnavailable: If Azure did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureBlobStorageCredentials, AzureMlCredentials
        from prefect_azure.ml_datastore import ml_register_datastore_blob_container

        @flow
        async def register_images():
            await ml_register_datastore_blob_container(
                "images",
                AzureMlCredentials.load("BLOCK_NAME"),
                AzureBlobStorageCredentials.load("BLOCK_NAME"),
                datastore_name="images",
                set_as_default=True,
            )
        ```
    """
    name = datastore_name or container_name
    run_logger(__name__).info("Registering container %s as datastore %s", container_name, name)

    def register() -> Any:
        return _register(
            ml_credentials, blob_storage_credentials, container_name, name, create_container_if_not_exists, overwrite,
            set_as_default,
        )  # fmt: skip

    return await run_sync_in_worker_thread(register)


def _register(
    credentials: AzureMlCredentials,
    blob_credentials: AzureBlobStorageCredentials,
    container_name: str,
    name: str,
    creates_container: bool,
    overwrite: bool,
    set_as_default: bool,
) -> Any:
    if not container_name.strip():
        raise AzureInvalidRequest("`container_name` is empty.")
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name, re.ASCII):
        raise AzureInvalidRequest(
            f"`datastore_name`: {name!r} may have letters, digits, underscores and hyphens only. Give another."
        )
    datastores = _datastores()
    account = storage_account(blob_credentials, checks_key=stand_in("Datastore", __name__) is None)
    subject = f"Datastore '{name}' of {subject_of(credentials)}"
    context = failure_context(credentials)
    context["secrets"] = [*context.get("secrets", ()), *secrets_of(blob_credentials), account.key, account.sas]
    workspace = credentials.get_workspace()
    endpoint = account.blob_url.partition(".blob.")[2] or None

    def is_new() -> bool:
        try:
            with azure_errors(subject, **context):
                datastores.get(workspace, name)
        except AzureNotFound:
            return True
        return False

    # One that is not there yet and then is, after a lost answer that the SDK or we asked for again, is ours.
    replaces = overwrite or (is_of_sdk(datastores.register_azure_blob_container) and repeated(is_new))

    def register() -> Any:
        with azure_errors(subject, **context):
            return datastores.register_azure_blob_container(
                workspace=workspace,
                datastore_name=name,
                container_name=container_name,
                account_name=account.name,
                account_key=account.key or None,
                sas_token=account.sas or None,
                endpoint=endpoint,
                create_if_not_exists=creates_container,
                overwrite=replaces,
            )

    def set_default() -> None:
        with azure_errors(subject, **context):
            datastore.set_as_default()

    datastore = repeated(register)
    if set_as_default:
        repeated(set_default)
    return datastore
