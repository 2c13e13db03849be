"""Async clients without aiohttp: the methods of Slack's sync clients, each run in a worker thread."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import run_sync_in_worker_thread

if TYPE_CHECKING:
    from slack_sdk.web import SlackResponse


class ThreadedClient:
    """Stands for an async client of the SDK: what is a method there is awaited here, too."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        member = getattr(self._client, name)
        if not callable(member):
            return member

        @wraps(member)
        async def call(*args: Any, **kwargs: Any) -> Any:
            return _paged(await run_sync_in_worker_thread(member, *args, **kwargs))

        return call

    def __repr__(self) -> str:
        return f"<{type(self._client).__name__} in threads>"


def _paged(response: Any) -> Any:
    from slack_sdk.web import SlackResponse

    if type(response) is not SlackResponse:
        return response
    response.__class__ = _paged_class()
    return response


def _paged_class() -> type[SlackResponse]:
    from slack_sdk.web import SlackResponse

    class PagedResponse(SlackResponse):
        """An answer whose further pages come by `async for`."""

        def __aiter__(self) -> Any:
            return iter(self)

        async def __anext__(self) -> Any:
            page = await run_sync_in_worker_thread(next, self, None)
            if page is None:
                raise StopAsyncIteration
            return page

    return PagedResponse
