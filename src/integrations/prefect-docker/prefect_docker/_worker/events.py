"""What becomes of the container of a run, as events of Prefect next to the flow run that it is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.events import Event, RelatedResource


class ContainerEvents:
    """Sends an event named `prefect.docker.container.<status>` for each status that a container comes to.

    Args:
        container_id: The container.
        name: Its name.
        related: Lists what of Prefect it belongs to.
    """

    def __init__(self, container_id: str, name: str, related: Callable[[], list[RelatedResource]]) -> None:
        self._resource = {
            "prefect.resource.id": f"prefect.docker.container.{container_id}",
            "prefect.resource.name": name,
        }
        self._related = related
        self._last: Event | None = None

    def tell(self, status: str) -> None:
        """Have an event sent, in a thread of Prefect's own; what fails is logged there.

        Args:
            status: Such as `running`, as the engine says it.
        """
        from prefect.events import emit_event

        self._last = emit_event(
            event=f"prefect.docker.container.{status.lower()}",
            resource=self._resource,
            related=self._related(),
            follows=self._last,
        )
