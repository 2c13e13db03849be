"""Lua that is run by its digest, and sent again where a server does not know it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from ._lines import in_time, line_of


class Script:
    """A script of Redis (https://redis.io/docs/latest/develop/programmability/eval-intro/).

    It can be run by clients of one server and of a Cluster alike; its first key chooses the node.

    Args:
        source: The Lua.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Any, keys: Sequence[str], arguments: Sequence[Any] = ()) -> Any:
        """Run it.

        Args:
            client: A client of `redis.asyncio`.
            keys: What it reads and writes, all in one slot.
            arguments: What it gets besides. It may run twice: an answer that got lost is asked for again.
        """
        from redis.exceptions import NoScriptError

        line = line_of(client)
        try:
            return await in_time(line, line.evalsha(self._digest, len(keys), *keys, *arguments))
        except NoScriptError:  # a new server, or one that was restarted
            return await in_time(line, line.eval(self.source, len(keys), *keys, *arguments))

    def run_sync(self, client: Any, keys: Sequence[str], arguments: Sequence[Any] = ()) -> Any:
        """Run it with a client that is not async."""
        from redis.exceptions import NoScriptError

        line = line_of(client)
        try:
            return line.evalsha(self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return line.eval(self.source, len(keys), *keys, *arguments)


SERVER_TIME = """
local function server_time()
    local now = redis.call('TIME')
    return tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
end
"""
"""Milliseconds since 1970 on the server's clock, the one that all clients share."""


def text(value: Any) -> str:
    """What a client that may not decode answers has answered, as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
