"""Results in parts: the first comes with the answer, the others lie at addresses, as Snowflake has large ones."""

from __future__ import annotations

import base64
import io
import threading
import uuid
from typing import Any


class Chunks:
    """Parts of results that wait for their readers.

    Attributes:
        fetched: How many parts were fetched.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[str, bytes] = {}
        self.fetched = 0

    def cut(self, answer: dict[str, Any], rows: int, address: str) -> None:
        """Cut a result of Arrow into parts.

        Args:
            answer: The answer that holds it; it is changed.
            rows: How many rows a part has.
            address: Of the server.
        """
        import pyarrow as pa

        data: Any = answer.get("data") or {}
        if data.get("queryResultFormat") != "arrow" or not data.get("rowsetBase64") or int(data["total"]) <= rows:
            return
        arrow: Any = pa
        table = arrow.ipc.open_stream(base64.b64decode(data["rowsetBase64"])).read_all().combine_chunks()
        first, *others = [_stream(arrow, part) for part in table.to_batches(max_chunksize=rows)]
        data["rowsetBase64"] = base64.b64encode(first[1]).decode()
        data["chunks"] = [self._kept(count, content, address) for count, content in others]

    def _kept(self, count: int, content: bytes, address: str) -> dict[str, Any]:
        path = f"/chunks/{uuid.uuid4().hex}"
        with self._lock:
            self._parts[path] = content
        sizes = {"uncompressedSize": len(content), "compressedSize": len(content)}
        return {"url": f"{address}{path}", "rowCount": count, **sizes}

    def fetch(self, path: str) -> bytes:
        """Give a part, and count it."""
        with self._lock:
            self.fetched += 1
            return self._parts[path]


def _stream(arrow: Any, batch: Any) -> tuple[int, bytes]:
    sink = io.BytesIO()
    with arrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return int(batch.num_rows), sink.getvalue()
