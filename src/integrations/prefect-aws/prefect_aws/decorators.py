"""The decorator that binds a flow to an ECS work pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_aws.workers import ECSWorker
from prefect_integration_kit.infrastructure import P, R, bind

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.bundles import BundleLauncher
    from prefect.flows import InfrastructureBoundFlow

__all__ = ["ecs"]


def ecs(
    work_pool: str,
    include_files: Sequence[str] | None = None,
    launcher: BundleLauncher | None = None,
    *,
    include_files_base_dir: Path | str | None = None,
    **job_variables: Any,
) -> Callable[[Flow[P, R]], InfrastructureBoundFlow[P, R]]:
    """Bind a flow to an ECS work pool, so that it runs in a task of the pool when it is called.

    The pool needs storage for the pickled flow: `prefect work-pool storage configure s3`. A direct call and `.submit()`
    start the task from here; `.submit_to_work_pool()` leaves that to a running worker.

    Args:
        work_pool: Name of the ECS work pool.
        include_files: Files to send along: paths, folders and patterns, relative to the folder of the flow's file. They
            are unpacked into the working directory of the task. One that begins with `!` takes files out again.
        launcher: Command that starts Python, instead of `uv run`: a list for upload and execution alike, such as
            `["python"]`, or a mapping with one list each for `"upload"` and `"execution"`. The environment must then
            have `prefect-aws` in it.
        include_files_base_dir: The folder that `include_files` is relative to. One that is itself relative starts from
            the working directory.
        **job_variables: Job variables of the pool to set for this flow, such as `cpu=2048`.

    Returns:
        A decorator of flows; it stands above `@flow`.

    Raises:
        TypeError: If `work_pool` or `include_files` has the wrong type, or it is no flow that is decorated.
        ValueError: If `work_pool`, a pattern or the launcher is empty.

    Example:
        ```python
        from prefect import flow

        from prefect_aws.decorators import ecs


        @ecs(work_pool="shop-ecs", include_files=["suppliers/*.csv"], cpu=2048, memory=4096)
        @flow
        def import_stock(day: str) -> int: ...


        future = import_stock.submit_to_work_pool(day="2026-05-04")
        ```
    """
    return bind(
        "ecs",
        ECSWorker,
        work_pool=work_pool,
        job_variables=job_variables,
        launcher=launcher,
        include_files=include_files,
        include_files_base_dir=include_files_base_dir,
    )
