"""Configurations of a worker's runs, as its base job template makes them, and where in them a text stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect.blocks.core import Block
from pydantic import BaseModel

from prefect_integration_tests.public import Package

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.workers.base import BaseWorker


def workers_of(package: Package) -> list[type[BaseWorker[Any, Any, Any]]]:
    """List the workers that a package publishes, by name."""
    from prefect.workers.base import BaseWorker

    found: list[Any] = [public.cls for public in package.classes() if issubclass(public.cls, BaseWorker)]  # pyright: ignore[reportUnknownMemberType]
    return sorted(found, key=lambda cls: cls.__name__)


def configured(
    worker: type[BaseWorker[Any, Any, Any]], run: FlowRun, pool: WorkPool | None, variables: Mapping[str, Any]
) -> Any:
    """Make the configuration of a run, prepared for it.

    Args:
        worker: The worker.
        run: The run.
        pool: Its work pool.
        variables: Values for the base job template; blocks stand for themselves.
    """
    configuration = unprepared(worker, variables)
    configuration.prepare_for_flow_run(run, work_pool=pool, worker_name="worker")
    return configuration


def unprepared(
    worker: type[BaseWorker[Any, Any, Any]], variables: Mapping[str, Any], job: Mapping[str, Any] | None = None
) -> Any:
    """Make a configuration as the base job template makes it, before it is prepared for a run.

    Args:
        worker: The worker.
        variables: Values for the base job template; blocks stand for themselves.
        job: Parts of the template's job to replace.
    """
    from prefect.utilities.templating import apply_values

    template = worker.get_default_base_job_template()
    defaults = {
        name: schema["default"]
        for name, schema in template["variables"]["properties"].items()
        if schema.get("default") is not None
    }
    rendered: Any = apply_values({**template["job_configuration"], **(job or {})}, {**defaults, **variables})
    make: Any = worker.job_configuration  # pyright: ignore[reportGeneralTypeIssues]
    return make(**rendered)


def places_of(text: str, value: Any, path: str = "") -> Iterator[str]:
    """Yield where in models and containers a text stands in the open: blocks and secrets keep their own.

    Args:
        text: What is looked for, also as a part of another text.
        value: A model, a container, or anything else.
        path: Where `value` stands.
    """
    members: Mapping[Any, Any] = {}
    if isinstance(value, BaseModel) and not isinstance(value, Block):
        members = dict(value)
    elif isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value)
        yield from (f"{path}.{key!r}" for key in members if text in str(key))
    elif isinstance(value, list | tuple):
        members = dict(enumerate(cast("list[Any]", value)))
    elif isinstance(value, str | bytes) and text in str(value):
        yield path
    for name, member in members.items():
        yield from places_of(text, member, f"{path}.{name}" if path else str(name))
