"""The result of a statement, one chunk in memory at a time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast

import httpx

from prefect_integration_kit.http_failures import passing
from prefect_integration_kit.tls import httpx_context
from prefect_integration_kit.waiting import Backoff, aretry

from .. import _time
from .._http import call
from .errors import DatabricksStatementError
from .execution import PATH
from .links import unlogged
from .values import read_row, readers_of

if TYPE_CHECKING:
    from ..credentials import DatabricksCredentials

_LARGE_BYTES, _MANY_CELLS = 256 * 1024, 10_000
"""From here on, reading takes a thread: the event loop must not wait for it."""

_BACKOFF = Backoff(initial_seconds=0.5, maximum_seconds=10.0, deadline_seconds=60.0)
_EXPIRED = (400, 401, 403, 404, 410)
"""What stores of clouds answer when a link has expired."""


class Result:
    """What a statement that succeeded has given.

    Attributes:
        statement_id: ID of the statement.
        columns: Names of the columns, in order.
        row_count: How many rows there are in all.
        is_truncated: Whether a limit has left rows out.
    """

    def __init__(self, credentials: DatabricksCredentials, answer: dict[str, Any]) -> None:
        """Take the answer to a statement.

        Args:
            credentials: Who asks for further chunks.
            answer: As the API gives it, with the first chunk.
        """
        manifest = cast("dict[str, Any]", answer.get("manifest") or {})
        schema = cast("dict[str, Any]", manifest.get("schema") or {})
        described = cast("list[dict[str, Any]]", schema.get("columns") or [])
        self.statement_id = str(answer.get("statement_id"))
        self.described = described
        self.columns = [str(each.get("name")) for each in described]
        self.row_count = int(manifest.get("total_row_count") or 0)
        self.is_truncated = bool(manifest.get("truncated"))
        self._credentials = credentials
        self._readers = readers_of(described)
        self._chunk: dict[str, Any] | None = cast("dict[str, Any]", answer.get("result") or {}) or None
        self._next = 0

    async def next_rows(self) -> list[tuple[Any, ...]]:
        """Read the next chunk; none at the end. After an error it may be called again, and goes on where it was."""
        while (chunk := await self._current()) is not None:
            cells = chunk.get("data_array")
            if cells is None and chunk.get("external_links"):
                content = await self._fetch(chunk)
                cells = await _loaded(content)
            self._advance(chunk)
            if cells:
                return await self._read(cells)
        return []

    async def _read(self, cells: list[Any]) -> list[tuple[Any, ...]]:
        readers = self._readers

        def read() -> list[tuple[Any, ...]]:
            return [read_row(readers, row) for row in cells]

        many = len(cells) * len(readers) > _MANY_CELLS
        return await asyncio.to_thread(read) if many else read()

    async def next_content(self) -> bytes | None:
        """Read the next chunk as it is; `None` at the end."""
        chunk = await self._current()
        if chunk is None:
            return None
        content = await self._fetch(chunk)
        self._advance(chunk)
        return content

    async def _current(self) -> dict[str, Any] | None:
        if self._chunk is None and self._next > 0:
            self._chunk = await self._get_chunk(self._next)
        return self._chunk

    def _advance(self, chunk: dict[str, Any]) -> None:
        found = _place(chunk).get("next_chunk_index")
        self._chunk, self._next = None, found if isinstance(found, int) else 0

    async def _get_chunk(self, index: int) -> dict[str, Any]:
        subject = f"Chunk {index} of the result of SQL statement {self.statement_id} could not be read"
        return await call(self._credentials, subject, "GET", f"{PATH}/{self.statement_id}/result/chunks/{index}")

    async def _fetch(self, chunk: dict[str, Any]) -> bytes:
        """Read what a link leads to; one that has expired is asked for again."""
        try:
            return await self._download(_place(chunk))
        except httpx.HTTPStatusError as exc:
            if exc.response.status_code not in _EXPIRED:
                raise self._translated(exc) from None
        except httpx.HTTPError as exc:
            raise self._translated(exc) from None
        self._chunk = await self._get_chunk(int(_place(chunk).get("chunk_index") or 0))
        try:
            return await self._download(_place(self._chunk))
        except httpx.HTTPError as exc:
            raise self._translated(exc) from None

    def _translated(self, exc: httpx.HTTPError) -> DatabricksStatementError:
        # The address is a secret: whoever has it may read the result.
        said = f"{exc.response.status_code}" if isinstance(exc, httpx.HTTPStatusError) else type(exc).__name__
        error = DatabricksStatementError(
            f"The result of SQL statement {self.statement_id} could not be read from the workspace's storage ({said}). "
            "Check that this machine may reach it, or set disposition to INLINE.",
            subject=f"SQL statement {self.statement_id}",
        )
        error.statement_id = self.statement_id
        return error

    async def _download(self, link: dict[str, Any]) -> bytes:
        # Without the token: the link is signed, and stores refuse a request with both.
        headers = cast("dict[str, str]", link.get("http_headers") or {})

        async def attempt() -> bytes:
            response = await client.get(str(link.get("external_link")), headers=headers)
            return response.raise_for_status().content

        with unlogged(str(link.get("external_link"))):
            async with httpx.AsyncClient(**_client_options(self._credentials)) as client:
                return await aretry(attempt, is_transient=passing, backoff=_BACKOFF, clock=_time.clock)


def _client_options(credentials: DatabricksCredentials) -> dict[str, Any]:
    given = credentials.client_kwargs or {}
    options = {name: given[name] for name in ("verify", "proxy", "trust_env", "timeout") if name in given}
    options.setdefault("verify", httpx_context())
    options.setdefault("timeout", httpx.Timeout(60.0, connect=10.0))
    return options


def _place(chunk: dict[str, Any]) -> dict[str, Any]:
    """Give what says which chunk it is: of links, that stands in each."""
    links = cast("list[dict[str, Any]]", chunk.get("external_links") or [])
    return links[0] if links else chunk


async def _loaded(content: bytes) -> list[Any]:
    if len(content) < _LARGE_BYTES:
        return json.loads(content)
    return await asyncio.to_thread(json.loads, content)


async def until_end(result: Result) -> list[tuple[Any, ...]]:
    """Read all rows that are left."""
    rows: list[tuple[Any, ...]] = []
    while batch := await result.next_rows():
        rows += batch
    return rows
