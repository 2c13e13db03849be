"""The base of workers' job configurations: it tells of job variables that change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect.logging import get_logger
from prefect.workers.base import BaseJobConfiguration
from pydantic import ConfigDict
from typing_extensions import Self  # noqa: TC002 - pydantic reads the annotations

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

_told: set[tuple[str, tuple[str, ...]]] = set()


class JobConfiguration(BaseJobConfiguration):
    """What one flow run asks of a worker's infrastructure.

    A job variable acts through a placeholder in the work pool's job template. A pool that was created before the worker
    learnt a variable has no such placeholder, and Prefect drops the value in silence; here it is named in a warning.
    """

    model_config = ConfigDict(defer_build=True)  # every flow run imports its subclasses, and few use them

    @classmethod
    async def from_template_and_values(
        cls, base_job_template: dict[str, Any], values: dict[str, Any], client: PrefectClient | None = None
    ) -> Self:
        """Fill the work pool's job template in.

        Args:
            base_job_template: The template.
            values: Job variables of deployment and run.
            client: A client of the Prefect API, to load blocks and variables with.

        Returns:
            The configuration. Values that the template has no place for are named in a warning, once for a process:
            they change nothing.
        """
        unused = unused_variables(base_job_template, values)
        if unused and (cls.__module__, unused) not in _told:
            _told.add((cls.__module__, unused))
            get_logger(cls.__module__.partition(".")[0]).warning(
                "The work pool's job template does not use the job variables %s, so they have no effect. Put "
                "placeholders such as {{ %s }} into its job configuration, or remove the variables.",
                ", ".join(unused),
                unused[0],
            )
        configuration: Any = await super().from_template_and_values(  # pyright: ignore[reportUnknownVariableType]
            base_job_template=base_job_template, values=values, client=client
        )
        return configuration

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave the environment out, which holds keys and passwords, and its values in a manifest."""
        values = frozenset(str(value) for value in dict(self.env or {}).values() if value)
        return [(name, _masked(value, values)) for name, value in super().__repr_args__() if name != "env"]


def _masked(value: Any, hidden: frozenset[str]) -> Any:
    """Mask texts in containers; everything else stays as it is."""
    if isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value)
        return {
            key: "********" if isinstance(each, str) and each in hidden else _masked(each, hidden)
            for key, each in members.items()
        }
    if isinstance(value, list):
        return [_masked(each, hidden) for each in cast("list[Any]", value)]
    return value


def unused_variables(base_job_template: Mapping[str, Any], variables: Iterable[str]) -> tuple[str, ...]:
    """Find job variables that a work pool's job template has no place for.

    Args:
        base_job_template: The template.
        variables: Names of the job variables that were given; `env.NAME` is a part of `env`.

    Returns:
        Their names, sorted.
    """
    from prefect.utilities.templating import find_placeholders

    places = find_placeholders(base_job_template["job_configuration"])
    known = {place.name.partition(".")[0] for place in places}
    # Prefect merges `env` into a template without a placeholder, too.
    return tuple(sorted({name.partition(".")[0] for name in variables} - known - {"env"}))
