"""The decorators that bind a flow to a work pool of Google Cloud: Cloud Run jobs or Vertex AI custom jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2
from prefect_gcp.workers.vertex import VertexAIWorker
from prefect_integration_kit.infrastructure import P, R, bind

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.bundles import BundleLauncher
    from prefect.flows import InfrastructureBoundFlow

__all__ = ["cloud_run", "vertex_ai"]


def cloud_run(
    work_pool: str,
    include_files: Sequence[str] | None = None,
    launcher: BundleLauncher | None = None,
    *,
    include_files_base_dir: Path | str | None = None,
    **job_variables: Any,
) -> Callable[[Flow[P, R]], InfrastructureBoundFlow[P, R]]:
    """Bind a flow to a Cloud Run work pool, so that it runs as a job of the pool when it is called.

    The pool is of type `cloud-run-v2` and needs storage for the pickled flow:
    `prefect work-pool storage configure gcs`. A direct call and `.submit()` start the job from here;
    `.submit_to_work_pool()` leaves that to a running worker.

    Args:
        work_pool: Name of the work pool.
        include_files: Files to send along: paths, folders and patterns, relative to the folder of the flow's file. They
            are unpacked into the working directory of the job. One that begins with `!` takes files out again.
        launcher: Command that starts Python, instead of `uv run`: a list for upload and execution alike, such as
            `["python"]`, or a mapping with one list each for `"upload"` and `"execution"`. The environment must then
            have `prefect-gcp` in it.
        include_files_base_dir: The folder that `include_files` is relative to. One that is itself relative starts from
            the working directory.
        **job_variables: Job variables of the pool to set for this flow, such as `memory="2Gi"`.

    Returns:
        A decorator of flows; it stands above `@flow`.

    Raises:
        TypeError: If `work_pool` or `include_files` has the wrong type, or it is no flow that is decorated.
        ValueError: If `work_pool`, a pattern or the launcher is empty.

    Example:
        ```python
        from prefect import flow

        from prefect_gcp.decorators import cloud_run


        @cloud_run(work_pool="shop-cloud-run", include_files=["suppliers/*.csv"], cpu="2000m", memory="2Gi")
        @flow
        def import_stock(day: str) -> int: ...


        future = import_stock.submit_to_work_pool(day="2026-05-04")
        ```
    """
    return bind(
        "cloud_run",
        CloudRunWorkerV2,
        work_pool=work_pool,
        job_variables=job_variables,
        launcher=launcher,
        include_files=include_files,
        include_files_base_dir=include_files_base_dir,
    )


def vertex_ai(
    work_pool: str,
    include_files: Sequence[str] | None = None,
    launcher: BundleLauncher | None = None,
    *,
    include_files_base_dir: Path | str | None = None,
    **job_variables: Any,
) -> Callable[[Flow[P, R]], InfrastructureBoundFlow[P, R]]:
    """Bind a flow to a Vertex AI work pool, so that it runs as a custom job of the pool when it is called.

    The pool is of type `vertex-ai` and needs storage for the pickled flow: `prefect work-pool storage configure gcs`.
    A direct call and `.submit()` start the job from here; `.submit_to_work_pool()` leaves that to a running worker.

    Args:
        work_pool: Name of the work pool.
        include_files: Files to send along: paths, folders and patterns, relative to the folder of the flow's file. They
            are unpacked into the working directory of the job. One that begins with `!` takes files out again.
        launcher: Command that starts Python, instead of `uv run`: a list for upload and execution alike, such as
            `["python"]`, or a mapping with one list each for `"upload"` and `"execution"`. The environment must then
            have `prefect-gcp` in it.
        include_files_base_dir: The folder that `include_files` is relative to. One that is itself relative starts from
            the working directory.
        **job_variables: Job variables of the pool to set for this flow, such as `machine_type="n1-standard-8"`.

    Returns:
        A decorator of flows; it stands above `@flow`.

    Raises:
        TypeError: If `work_pool` or `include_files` has the wrong type, or it is no flow that is decorated.
        ValueError: If `work_pool`, a pattern or the launcher is empty.

    Example:
        ```python
        from prefect import flow

        from prefect_gcp.decorators import vertex_ai


        @vertex_ai(work_pool="shop-vertex", machine_type="n1-standard-8", accelerator_count=1)
        @flow
        def train(season: str) -> float: ...


        future = train.submit_to_work_pool(season="spring")
        ```
    """
    return bind(
        "vertex_ai",
        VertexAIWorker,
        work_pool=work_pool,
        job_variables=job_variables,
        launcher=launcher,
        include_files=include_files,
        include_files_base_dir=include_files_base_dir,
    )
