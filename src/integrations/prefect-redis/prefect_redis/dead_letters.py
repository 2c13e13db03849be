"""Messages that were given up: look at them, publish them again, forget them.

A message gets here when its handler has failed `PREFECT_REDIS_MESSAGING_CONSUMER_MAX_RETRIES` times more than once, or
when nobody lived to handle it. About 10,000 of each topic are kept, the newest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import orjson

from . import _reading
from ._scripts import Script
from .client import cluster_key_prefix, get_async_redis_client
from .errors import redis_errors

__all__ = ["DeadLetter", "discard_dead_letters", "read_dead_letters", "replay_dead_letters"]

_REPLAY = Script("""
-- KEYS: the stream, its dead letters. ARGV: ids of dead letters.
local replayed = 0
for _, id in ipairs(ARGV) do
    local found = redis.call('XRANGE', KEYS[2], id, id)
    if #found == 1 then
        local data, attributes
        for i = 1, #found[1][2], 2 do
            if found[1][2][i] == 'data' then data = found[1][2][i + 1] end
            if found[1][2][i] == 'attributes' then attributes = found[1][2][i + 1] end
        end
        redis.call('XADD', KEYS[1], '*', 'data', data, 'attributes', attributes)
        redis.call('XDEL', KEYS[2], id)
        replayed = replayed + 1
    end
end
return replayed
""")


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up.

    Attributes:
        id: Its id among the dead letters.
        message_id: Its id in the topic.
        data: Its content.
        attributes: What was said about it.
        reason: Why the last attempt failed.
        group: Whose consumers failed.
        consumer: Who failed last.
        deliveries: How often it was delivered to them.
        moved_at: When it was given up, in UTC.
    """

    id: str
    message_id: str
    data: str | bytes
    attributes: dict[str, Any]
    reason: str
    group: str
    consumer: str
    deliveries: int
    moved_at: datetime


def _keys(topic: str) -> list[str]:
    stream = cluster_key_prefix(topic)
    return [stream, f"{stream}:dlq"]


async def read_dead_letters(topic: str, limit: int = 100, after: str = "-") -> list[DeadLetter]:
    """Read what was given up, the oldest first.

    Args:
        topic: Name of the topic, such as `events`.
        limit: How many at most.
        after: Id of the last dead letter that was read before, for the next page.
    """
    client: Any = get_async_redis_client(decode_responses=False)
    start = after if after == "-" else f"({after}"
    with redis_errors(f"Redis, dead letters of {topic!r}"):
        found = await client.xrange(_keys(topic)[1], min=start, count=limit)
    return [_letter(entry_id.decode(), fields) for entry_id, fields in found]


def _letter(entry_id: str, fields: dict[Any, Any]) -> DeadLetter:
    def of(name: str) -> str:
        return _reading.field(fields, name).decode("utf-8", "replace")

    return DeadLetter(
        id=entry_id,
        message_id=of("message_id"),
        data=_reading.text_or_bytes(_reading.field(fields, "data")),
        attributes=orjson.loads(of("attributes") or "{}"),
        reason=of("reason"),
        group=of("group"),
        consumer=of("consumer"),
        deliveries=int(of("deliveries") or 0),
        moved_at=datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, timezone.utc),
    )


async def replay_dead_letters(topic: str, ids: list[str] | None = None) -> int:
    """Publish messages again that were given up. All groups of the topic get them.

    Args:
        topic: Name of the topic.
        ids: Ids of dead letters; all by default.

    Returns:
        How many were published.
    """
    client: Any = get_async_redis_client()
    if ids is not None:
        with redis_errors(f"Redis, dead letters of {topic!r}"):
            return int(await _REPLAY.run(client, _keys(topic), ids)) if ids else 0
    replayed = 0
    while letters := await read_dead_letters(topic):
        with redis_errors(f"Redis, dead letters of {topic!r}"):
            replayed += int(await _REPLAY.run(client, _keys(topic), [letter.id for letter in letters]))
    return replayed


async def discard_dead_letters(topic: str) -> int:
    """Forget all messages of a topic that were given up.

    Args:
        topic: Name of the topic.

    Returns:
        How many there were.
    """
    client: Any = get_async_redis_client()
    key = _keys(topic)[1]
    with redis_errors(f"Redis, dead letters of {topic!r}"):
        count = int(await client.xlen(key))
        await client.delete(key)
    return count
