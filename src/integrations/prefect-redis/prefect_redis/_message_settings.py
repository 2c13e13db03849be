"""How messages are published and consumed, and what a message is."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import BeforeValidator, Field


def _interpret_string_as_timedelta_seconds(value: Any) -> Any:
    """Read a number in a string as seconds, as environment variables give them."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return timedelta(seconds=float(value))
    return value


TimeDelta = Annotated[str | timedelta, BeforeValidator(_interpret_string_as_timedelta_seconds)]
"""A time span; text that is a number means seconds."""


def span(value: str | timedelta | None, default: str | timedelta) -> timedelta:
    chosen = _interpret_string_as_timedelta_seconds(default if value is None else value)
    if not isinstance(chosen, timedelta):
        raise ValueError(f"{chosen!r} is no time span. Give seconds, or a timedelta.")  # noqa: TRY004 - of a setting
    return chosen


class RedisMessagingPublisherSettings(PrefectBaseSettings):
    """How messages are published: `PREFECT_REDIS_MESSAGING_PUBLISHER_*`."""

    model_config = build_settings_config(("redis", "messaging", "publisher"))

    batch_size: int = Field(default=5, description="How many messages are sent together.")
    publish_every: TimeDelta = Field(
        default=timedelta(seconds=10), description="Seconds after which a batch that is not full is sent."
    )
    deduplicate_by: str | None = Field(
        default=None, description="Attribute by which messages are told apart, so that none is published twice."
    )
    max_stream_length: int = Field(
        default=500_000,
        ge=0,
        description=(
            "About how many messages a stream keeps at most, when consumers are down and nothing is trimmed;"
            " 0 for no limit."
        ),
    )


class RedisMessagingConsumerSettings(PrefectBaseSettings):
    """How messages are consumed: `PREFECT_REDIS_MESSAGING_CONSUMER_*`."""

    model_config = build_settings_config(("redis", "messaging", "consumer"))

    block: TimeDelta = Field(default=timedelta(seconds=1), description="Seconds that one read waits for messages.")
    min_idle_time: TimeDelta = Field(
        default=timedelta(seconds=5),
        description="Seconds after which a message that failed, or whose consumer is gone, is handled again.",
    )
    max_retries: int = Field(
        default=3, description="How often a message is handled again before it goes to the dead letters."
    )
    trim_every: TimeDelta = Field(
        default=timedelta(seconds=60), description="Seconds between two times that handled messages are removed."
    )
    trim_idle_threshold: TimeDelta = Field(
        default=timedelta(seconds=300),
        description="Seconds after which a consumer counts as gone, and a group without others holds nothing back.",
    )
    should_process_pending_messages: bool = Field(
        default=True, description="Whether to take over messages of consumers that are gone."
    )
    starting_message_id: str = Field(
        default="0", description="Where a new group begins: `0` for all that is there, `$` for what comes."
    )
    automatically_acknowledge: bool = Field(
        default=True, description="Whether a message counts as handled when its handler returns."
    )


class RedisStreamsMessage:
    """A message of a stream.

    Args:
        data: Its content.
        attributes: What is said about it.
        acker: What `acknowledge` calls.
    """

    def __init__(
        self,
        data: bytes | str,
        attributes: dict[str, Any],
        acker: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.data = data
        self.attributes = attributes
        self.acker = acker

    async def acknowledge(self) -> None:
        """Say that the message is handled, so that it does not come again."""
        if self.acker is not None:
            await self.acker()


class Subscription:
    """How messages are given up that fail again and again.

    Args:
        max_retries: How often a message is handled again.
        dlq_key: The stream of dead letters.
    """

    def __init__(self, max_retries: int = 3, dlq_key: str = "dlq") -> None:
        self.max_retries = max_retries
        self.dlq_key = dlq_key
