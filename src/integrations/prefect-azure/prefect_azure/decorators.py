"""The decorators that bind a flow to a work pool of Azure: Container Instances or Container Apps jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_azure.workers.container_apps import AzureContainerAppJobWorker
from prefect_azure.workers.container_instance import AzureContainerWorker
from prefect_integration_kit.infrastructure import P, R, bind

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.bundles import BundleLauncher
    from prefect.flows import InfrastructureBoundFlow

__all__ = ["azure_container_app_job", "azure_container_instance"]


def azure_container_instance(
    work_pool: str,
    include_files: Sequence[str] | None = None,
    launcher: BundleLauncher | None = None,
    *,
    include_files_base_dir: Path | str | None = None,
    **job_variables: Any,
) -> Callable[[Flow[P, R]], InfrastructureBoundFlow[P, R]]:
    """Bind a flow to a Container Instances work pool, so that it runs in a container group when it is called.

    The pool is of type `azure-container-instance` and needs storage for the pickled flow:
    `prefect work-pool storage configure azure-blob-storage`. A direct call and `.submit()` start the container group
    from here; `.submit_to_work_pool()` leaves that to a running worker.

    Args:
        work_pool: Name of the work pool.
        include_files: Files to send along: paths, folders and patterns, relative to the folder of the flow's file. They
            are unpacked into the working directory of the container. One that begins with `!` takes files out again.
        launcher: Command that starts Python, instead of `uv run`: a list for upload and execution alike, such as
            `["python"]`, or a mapping with one list each for `"upload"` and `"execution"`. The environment must then
            have `prefect-azure[blob-storage]` in it.
        include_files_base_dir: The folder that `include_files` is relative to. One that is itself relative starts from
            the working directory.
        **job_variables: Job variables of the pool to set for this flow, such as `memory=2.0`.

    Returns:
        A decorator of flows; it stands above `@flow`.

    Raises:
        TypeError: If `work_pool` or `include_files` has the wrong type, or it is no flow that is decorated.
        ValueError: If `work_pool`, a pattern or the launcher is empty.

    Example:
        ```python
        from prefect import flow

        from prefect_azure.decorators import azure_container_instance


        @azure_container_instance(work_pool="shop-aci", include_files=["suppliers/*.csv"], cpu=2.0, memory=4.0)
        @flow
        def import_stock(day: str) -> int: ...


        future = import_stock.submit_to_work_pool(day="2026-05-04")
        ```
    """
    return bind(
        "azure_container_instance",
        AzureContainerWorker,
        work_pool=work_pool,
        job_variables=job_variables,
        launcher=launcher,
        include_files=include_files,
        include_files_base_dir=include_files_base_dir,
    )


def azure_container_app_job(
    work_pool: str,
    include_files: Sequence[str] | None = None,
    launcher: BundleLauncher | None = None,
    *,
    include_files_base_dir: Path | str | None = None,
    **job_variables: Any,
) -> Callable[[Flow[P, R]], InfrastructureBoundFlow[P, R]]:
    """Bind a flow to a Container Apps work pool, so that it runs as a job of Container Apps when it is called.

    The pool is of type `azure-container-app-job` and needs storage for the pickled flow:
    `prefect work-pool storage configure azure-blob-storage`. A direct call and `.submit()` start the job from here;
    `.submit_to_work_pool()` leaves that to a running worker.

    Args:
        work_pool: Name of the work pool.
        include_files: Files to send along: paths, folders and patterns, relative to the folder of the flow's file. They
            are unpacked into the working directory of the container. One that begins with `!` takes files out again.
        launcher: Command that starts Python, instead of `uv run`: a list for upload and execution alike, such as
            `["python"]`, or a mapping with one list each for `"upload"` and `"execution"`. The environment must then
            have `prefect-azure[blob-storage]` in it.
        include_files_base_dir: The folder that `include_files` is relative to. One that is itself relative starts from
            the working directory.
        **job_variables: Job variables of the pool to set for this flow, such as `memory="4Gi"`.

    Returns:
        A decorator of flows; it stands above `@flow`.

    Raises:
        TypeError: If `work_pool` or `include_files` has the wrong type, or it is no flow that is decorated.
        ValueError: If `work_pool`, a pattern or the launcher is empty.

    Example:
        ```python
        from prefect import flow

        from prefect_azure.decorators import azure_container_app_job


        @azure_container_app_job(work_pool="shop-jobs", cpu=2.0, memory="4Gi")
        @flow
        def train(season: str) -> float: ...


        future = train.submit_to_work_pool(season="spring")
        ```
    """
    return bind(
        "azure_container_app_job",
        AzureContainerAppJobWorker,
        work_pool=work_pool,
        job_variables=job_variables,
        launcher=launcher,
        include_files=include_files,
        include_files_base_dir=include_files_base_dir,
    )
