"""Decorators that bind a flow to a work pool, so that a call of it runs on the pool's infrastructure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import ParamSpec

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.bundles import BundleLauncher
    from prefect.flows import InfrastructureBoundFlow
    from prefect.workers.base import BaseWorker

P = ParamSpec("P")
"""Parameters of the flow."""

R = TypeVar("R")
"""What the flow returns."""


def bind(
    decorator: str,
    worker_cls: type[BaseWorker[Any, Any, Any]],
    *,
    work_pool: str,
    job_variables: Mapping[str, Any],
    launcher: BundleLauncher | None = None,
    include_files: Sequence[str] | None = None,
    include_files_base_dir: Path | str | None = None,
) -> Callable[[Flow[P, R]], InfrastructureBoundFlow[P, R]]:
    """Make the decorator of one integration.

    What does not depend on the flow is checked here, where the decorator is written down.

    Args:
        decorator: Name of the decorator without `@`, for messages.
        worker_cls: The worker that starts the infrastructure of a direct call and of `.submit()`.
        work_pool: Name of the work pool.
        job_variables: What to override in the pool's base job template. Which names there are is for the pool to say.
        launcher: Command that starts Python for upload and execution, instead of `uv run`.
        include_files: Patterns of files to send along.
        include_files_base_dir: The folder that the patterns are relative to; that of the flow's file by default.

    Returns:
        A decorator of flows.

    Raises:
        TypeError: If `work_pool` or `include_files` has the wrong type, and, when the decorator is used, if what it is
            used on is not a flow, or `launcher` is neither a list nor a mapping.
        ValueError: If `work_pool` or a pattern is empty, and, when the decorator is used, if `launcher` is.
    """
    _check_work_pool(work_pool, decorator)
    _check_patterns(include_files, decorator)

    def bind_flow(flow: Flow[P, R]) -> InfrastructureBoundFlow[P, R]:
        from prefect.flows import Flow, bind_flow_to_infrastructure

        if not isinstance(flow, Flow):
            raise TypeError(
                f"@{decorator} binds a flow, and {_name_of(flow)} is none. Put @{decorator}(...) above @flow."
            )
        return bind_flow_to_infrastructure(
            flow,
            work_pool,
            worker_cls,
            job_variables=dict(job_variables),
            launcher=launcher,
            include_files=include_files,
            include_files_base_dir=include_files_base_dir,
        )

    return bind_flow


def _check_work_pool(work_pool: object, decorator: str) -> None:
    if not isinstance(work_pool, str):
        raise TypeError(
            f"@{decorator}: work_pool is {_name_of(work_pool)}; it must be the name of a work pool. "
            f'Write @{decorator}(work_pool="...").'
        )
    if not work_pool.strip():
        raise ValueError(
            f"@{decorator}: work_pool is empty. Name a work pool; `prefect work-pool ls` lists those there are."
        )


def _check_patterns(patterns: object, decorator: str) -> None:
    if patterns is None:
        return
    if isinstance(patterns, str | bytes) or not isinstance(patterns, Sequence):
        raise TypeError(f"@{decorator}: include_files is {patterns!r}; it must be a list of patterns.")
    for pattern in patterns:  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(pattern, str) or not pattern.strip():
            raise ValueError(f"@{decorator}: include_files has {pattern!r} in it; each pattern must be a text.")


def _name_of(thing: object) -> str:
    name = getattr(thing, "__name__", None) or getattr(thing, "name", None)
    return f"{name!r}" if isinstance(name, str) else f"a {type(thing).__name__}"
