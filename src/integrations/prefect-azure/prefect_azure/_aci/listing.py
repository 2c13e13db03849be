"""One list of a resource group for all who want to know how their container groups are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .api import ContainerInstancesApi
from .views import GroupView

_FRESH_SECONDS = 1.0


class Listing:
    """Lists the container groups of a resource group, at most once a second.

    Args:
        api: Lists them.
        interval_seconds: How often those who wait look; a list is not taken more often.
        clock: Time.
    """

    def __init__(self, api: ContainerInstancesApi, *, interval_seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._api = api
        self._clock = clock
        self._fresh_seconds = min(_FRESH_SECONDS, interval_seconds / 2)
        self._taken_seconds = float("-inf")
        self._groups: Mapping[str, GroupView] = {}
        self._lock = asyncio.Lock()

    async def groups(self) -> Mapping[str, GroupView]:
        """The container groups by name, as they were a second ago at most.

        Raises:
            AzureAccessDenied: If the identity may not list them.
            AzureError: If Azure refuses, or does not answer.
        """
        async with self._lock:
            began = self._clock.monotonic()
            if began - self._taken_seconds >= self._fresh_seconds:
                groups = await self._api.groups()
                self._groups = {group.name: group for group in groups}
                self._taken_seconds = began
            return self._groups
