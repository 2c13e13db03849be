"""The decorator that binds a flow to a Docker work pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_docker.worker import DockerWorker
from prefect_integration_kit.infrastructure import P, R, bind

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.bundles import BundleLauncher
    from prefect.flows import InfrastructureBoundFlow

__all__ = ["docker"]


def docker(
    work_pool: str,
    include_files: Sequence[str] | None = None,
    launcher: BundleLauncher | None = None,
    *,
    include_files_base_dir: Path | str | None = None,
    **job_variables: Any,
) -> Callable[[Flow[P, R]], InfrastructureBoundFlow[P, R]]:
    """Bind a flow to a Docker work pool, so that it runs in a container of the pool when it is called.

    The pool needs storage for the pickled flow, such as S3: `prefect work-pool storage configure s3`. A direct call and
    `.submit()` start the container from here; `.submit_to_work_pool()` leaves that to a running worker. `.submit()`
    returns once the container runs; how a crashed one ended is then reported by a running worker of the pool.

    Args:
        work_pool: Name of the Docker work pool.
        include_files: Files to send along: paths, folders and patterns, relative to the folder of the flow's file. They
            are unpacked into the working directory of the container. One that begins with `!` takes files out again.
        launcher: Command that starts Python for upload and execution, instead of `uv run`: a list for both, such as
            `["python"]`, or a mapping with one list each for `"upload"` and `"execution"`. The environment must then
            have what the pool's storage needs in it.
        include_files_base_dir: The folder that `include_files` is relative to. One that is itself relative starts from
            the working directory.
        **job_variables: Job variables of the pool to set for this flow, such as `mem_limit="2g"`.

    Returns:
        A decorator of flows; it stands above `@flow`.

    Raises:
        TypeError: If `work_pool` or `include_files` has the wrong type, or it is no flow that is decorated.
        ValueError: If `work_pool`, a pattern or the launcher is empty.

    Example:
        ```python
        from prefect import flow

        from prefect_docker.decorators import docker


        @docker(work_pool="shop-docker", include_files=["suppliers/*.csv"], mem_limit="2g")
        @flow
        def import_stock(day: str) -> int: ...


        future = import_stock.submit_to_work_pool(day="2026-05-04")
        ```
    """
    return bind(
        "docker",
        DockerWorker,
        work_pool=work_pool,
        job_variables=job_variables,
        launcher=launcher,
        include_files=include_files,
        include_files_base_dir=include_files_base_dir,
    )
