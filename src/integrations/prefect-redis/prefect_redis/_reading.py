"""Reads that end, and what they have read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import orjson

from ._lines import due
from ._message_settings import RedisStreamsMessage
from ._scripts import text
from .client import RedisMessagingSettings
from .settings import current

Entry = tuple[str, dict[Any, Any]]
"""The id of an entry of a stream, and its fields."""

_AT_ONCE = timedelta(0)
_ANSWER_SECONDS = 10.0
"""How much longer than asked a blocking read may take before the connection counts as broken."""


async def in_time(answer: Awaitable[Any], block: timedelta = _AT_ONCE) -> Any:
    """Wait for the answer to a read that may block."""
    return await due(answer, block.total_seconds() + _ANSWER_SECONDS)


def block_milliseconds(block: timedelta) -> int:
    """How long a read may wait; less than the time after which the connection counts as broken."""
    limit = current(RedisMessagingSettings).socket_timeout
    seconds = block.total_seconds() if limit is None else min(block.total_seconds(), limit / 2)
    return max(1, int(seconds * 1000))


def entries(answer: Any) -> list[Entry]:
    """The entries of one stream, as protocol 2 or 3 answers them."""
    if not answer:
        return []
    groups: list[Any] = [*cast("dict[Any, Any]", answer).values()] if isinstance(answer, dict) else [answer[0][1]]
    found: list[Any] = groups[0]
    if isinstance(answer, dict) and found:  # protocol 3 has a list of lists
        found = found[0]
    return [(text(entry_id), fields or {}) for entry_id, fields in found]


def field(fields: dict[Any, Any], name: str) -> bytes:
    value = fields.get(name.encode(), fields.get(name, b""))
    return value if isinstance(value, bytes) else str(value).encode()


def message(fields: dict[Any, Any], acker: Callable[[], Awaitable[None]] | None = None) -> RedisStreamsMessage:
    """The message that an entry holds."""
    attributes = orjson.loads(field(fields, "attributes") or b"{}")
    return RedisStreamsMessage(text_or_bytes(field(fields, "data")), attributes, acker)


def text_or_bytes(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


async def last_id(client: Any, stream: str) -> str:
    last = await client.xrevrange(stream, count=1)
    return text(last[0][0]) if last else "0-0"
