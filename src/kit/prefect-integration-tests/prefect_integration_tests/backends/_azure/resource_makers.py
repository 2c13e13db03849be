"""How deployments make container groups and jobs of Container Apps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .arm_errors import Json
from .arm_schema import SchemaError, read_request
from .arm_server import invalid_content
from .container_group_checks import check_group

if TYPE_CHECKING:
    from .container_apps import ContainerApps
    from .container_group import ContainerGroup
    from .container_groups import ContainerInstance
    from .container_job import ContainerJob
    from .deployment_template import Place


class ContainerGroupMaker:
    """Makes container groups."""

    def __init__(self, provider: ContainerInstance) -> None:
        """Make them for a provider."""
        self._provider = provider

    def check(self, name: str, body: Json) -> Json:
        """Check a group before it is made."""
        try:
            data = read_request(self._provider.model("ContainerGroup"), body)
        except SchemaError as exc:
            raise invalid_content(str(exc)) from None
        check_group(name, data)
        return data

    def make(self, place: Place, name: str, body: Json, done: Callable[[Json | None], None]) -> None:
        """Begin to make a group."""
        group, _ = self._provider.put(place.subscription, place.group, name, body)
        if group.provisioning in ("Succeeded", "Failed"):
            done(group.problem)
            return

        def tell(group: ContainerGroup) -> None:
            done(group.problem)

        group.done.append(tell)

    def view(self, place: Place, name: str) -> Json:
        """Show a group."""
        return self._provider.get_group(place.subscription, place.group, name).view()


class JobMaker:
    """Makes jobs."""

    def __init__(self, provider: ContainerApps) -> None:
        """Make them for a provider."""
        self._provider = provider

    def check(self, name: str, body: Json) -> Json:
        """Check a job before it is made."""
        return self._provider.read_job(name, body)

    def make(self, place: Place, name: str, body: Json, done: Callable[[Json | None], None]) -> None:
        """Begin to make a job."""
        job, _ = self._provider.put(place.subscription, place.group, name, body)

        def tell(job: ContainerJob) -> None:
            done(job.problem)

        if job.provisioning == "InProgress":
            job.done.append(tell)
        else:
            done(job.problem)

    def view(self, place: Place, name: str) -> Json:
        """Show a job."""
        return self._provider.get_job(place.subscription, place.group, name).view()
