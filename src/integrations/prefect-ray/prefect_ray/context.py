"""What the tasks of a flow need of Ray: processors, GPUs, placement."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

from prefect.context import ContextModel
from pydantic import Field
from typing_extensions import Self  # noqa: TC002 - pydantic reads it

__all__ = ["RemoteOptionsContext", "remote_options"]


class RemoteOptionsContext(ContextModel):
    """The remote options that hold here.

    Attributes:
        current_remote_options: Keyword arguments of `ray.remote`.
    """

    __var__: ClassVar[ContextVar[Self]] = ContextVar("remote_options")  # pyright: ignore[reportGeneralTypeIssues]

    current_remote_options: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of `ray.remote` for the task runs that are submitted here."
    )

    @classmethod
    def get(cls) -> RemoteOptionsContext:
        """Get the context; an empty one where there is none."""
        return cls.__var__.get(None) or cls()


@contextmanager  # pyright: ignore[reportDeprecated] - the type of what is sent was written down here before
def remote_options(**new_remote_options: Any) -> Generator[None, dict[str, Any], None]:
    """Add keyword arguments of `ray.remote` to the task runs that are submitted in the block.

    Where blocks are nested, the inner one adds to the outer one, and wins where both name an option.

    Ray tries a task again when its worker dies only if `max_retries` is given here: a task run has effects.

    Args:
        new_remote_options: Such as `num_cpus`, `num_gpus`, `resources`, `memory`, `max_retries`, `max_calls`,
            `scheduling_strategy`, `runtime_env`.

    Raises:
        RayConfigurationError: If Ray does not know an option, or its value cannot be.

    Example:
        ```python
        from prefect import flow, task
        from prefect_ray import RayTaskRunner
        from prefect_ray.context import remote_options


        @task
        def process(x):
            return x + 1


        @flow(task_runner=RayTaskRunner())
        def my_flow():
            # as `@ray.remote(num_cpus=4, num_gpus=2)`
            with remote_options(num_cpus=4, num_gpus=2):
                process.submit(42).wait()
        ```
    """
    from ._remote_options import check

    current = RemoteOptionsContext.get().current_remote_options
    merged = {**current, **new_remote_options}
    check(merged)
    with RemoteOptionsContext(current_remote_options=merged):
        yield
