"""Deployment steps that keep a project's files in Cloud Storage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from prefect_gcp._storage.folders import GcsFolders
from prefect_gcp.credentials import GcpCredentials
from prefect_integration_kit.files import ignore_lines_if_any
from prefect_integration_kit.paths import folder_prefix

__all__ = ["PullFromGcsOutput", "PushToGcsOutput", "pull_from_gcs", "push_to_gcs"]


class PushToGcsOutput(TypedDict):
    """What `push_to_gcs` gives to later steps.

    Attributes:
        bucket: Name of the bucket.
        folder: Folder in the bucket, as it was given.
    """

    bucket: str
    folder: str


class PullFromGcsOutput(TypedDict):
    """What `pull_from_gcs` gives to later steps.

    Attributes:
        bucket: Name of the bucket.
        folder: Folder in the bucket, as it was given.
        directory: Absolute path of the local folder that holds the files.
    """

    bucket: str
    folder: str
    directory: str


def push_to_gcs(
    bucket: str,
    folder: str,
    project: str | None = None,
    credentials: dict[str, Any] | None = None,
    ignore_file: str | None = ".prefectignore",
) -> PushToGcsOutput:
    """Upload the working directory to a folder of a bucket.

    Args:
        bucket: Name of the bucket.
        folder: Folder in the bucket; empty for the whole bucket.
        project: Project to ask on behalf of; that of the credentials by default.
        credentials: Fields of a GCP Credentials block. Without it, Application Default Credentials are used.
        ignore_file: File with the patterns of what to leave out, written as in `.gitignore`. One that does not exist
            leaves out nothing.

    Returns:
        The bucket and the folder.

    Raises:
        GcpBucketNotFound: If there is no such bucket.
        GcpAccessDenied: If the credentials may not write to it.

    Examples:
        Push to a bucket:
        ```yaml
        push:
          - prefect_gcp.deployments.steps.push_to_gcs:
              requires: prefect-gcp
              bucket: shop-flows
              folder: nightly/stock-import
        ```

        Push with the credentials of a saved block:
        ```yaml
        push:
          - prefect_gcp.deployments.steps.push_to_gcs:
              requires: prefect-gcp
              bucket: shop-flows
              folder: nightly/stock-import
              credentials: "{{ prefect.blocks.gcp-credentials.shop-gcp }}"
        ```

        Push with a service account file:
        ```yaml
        push:
          - prefect_gcp.deployments.steps.push_to_gcs:
              requires: prefect-gcp
              bucket: shop-flows
              folder: nightly/stock-import
              credentials:
                project: shop-project
                service_account_file: /etc/shop/service-account.json
        ```
    """
    folders = _open(bucket, project, credentials)
    lines = ignore_lines_if_any(ignore_file)
    folders.upload_folder(Path.cwd(), folder_prefix("", folder), ignore_lines=lines)
    return {"bucket": bucket, "folder": folder}


def pull_from_gcs(
    bucket: str,
    folder: str,
    project: str | None = None,
    credentials: dict[str, Any] | None = None,
) -> PullFromGcsOutput:
    """Download a folder of a bucket to the working directory.

    Args:
        bucket: Name of the bucket.
        folder: Folder in the bucket; empty for the whole bucket. `app` does not bring the files of `app2`.
        project: Project to ask on behalf of; that of the credentials by default.
        credentials: Fields of a GCP Credentials block. Without it, Application Default Credentials are used.

    Returns:
        The bucket, the folder, and the local directory.

    Raises:
        PathEscapes: If a key would be written outside the working directory; no such file is written. It is a
            `ValueError`.
        GcpBucketNotFound: If there is no such bucket.
        GcpAccessDenied: If the credentials may not read it.

    Examples:
        Pull with the default credentials:
        ```yaml
        pull:
          - prefect_gcp.deployments.steps.pull_from_gcs:
              requires: prefect-gcp
              bucket: shop-flows
              folder: nightly/stock-import
        ```

        Pull with the credentials of a saved block:
        ```yaml
        pull:
          - prefect_gcp.deployments.steps.pull_from_gcs:
              requires: prefect-gcp
              bucket: shop-flows
              folder: nightly/stock-import
              credentials: "{{ prefect.blocks.gcp-credentials.shop-gcp }}"
        ```

        Pull with a service account file:
        ```yaml
        pull:
          - prefect_gcp.deployments.steps.pull_from_gcs:
              requires: prefect-gcp
              bucket: shop-flows
              folder: nightly/stock-import
              credentials:
                project: shop-project
                service_account_file: /etc/shop/service-account.json
        ```
    """
    directory = Path.cwd()
    _open(bucket, project, credentials).download_folder(folder_prefix("", folder), directory)
    return {"bucket": bucket, "folder": folder, "directory": str(directory)}


def _open(bucket: str, project: str | None, credentials: Mapping[str, Any] | GcpCredentials | None) -> GcsFolders:
    if isinstance(credentials, GcpCredentials):  # of a caller in Python
        return GcsFolders.open(credentials, bucket, project)
    values = {name: value for name, value in dict(credentials or {}).items() if value is not None}
    values.pop("block_type_slug", None)
    return GcsFolders.open(GcpCredentials(**values), bucket, project)
