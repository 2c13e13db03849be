"""The events on assets that code emits, caught before they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prefect.events.clients import AssertingEventsClient
from prefect.events.worker import EventsWorker

if TYPE_CHECKING:
    from prefect.events.schemas.events import Event


@contextmanager
def caught_asset_events() -> Iterator[Callable[[], list[Event]]]:
    """Give a function that waits until all events are out, and returns those on assets."""
    EventsWorker.set_client_override(AssertingEventsClient)
    EventsWorker.instance().drain()  # one that is left over has a client that nobody would ask
    AssertingEventsClient.reset()
    worker = EventsWorker.instance()

    def events() -> list[Event]:
        worker.wait_until_empty()
        worker.drain()
        found = [event for client in AssertingEventsClient.all for event in client.events]
        return [event for event in found if ".asset." in event.event]

    try:
        yield events
    finally:
        worker.drain()
        EventsWorker.set_client_override(None)
        AssertingEventsClient.reset()


def summary(events: list[Event]) -> list[tuple[str, str]]:
    """Name and asset of each event, sorted."""
    return sorted((event.event, event.resource.id) for event in events)
