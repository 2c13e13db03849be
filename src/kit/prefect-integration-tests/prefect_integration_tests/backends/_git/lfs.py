"""The part of Git LFS that a host has: the batch API and a store (https://github.com/git-lfs/git-lfs/tree/main/docs/api)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .http_server import GitRequest

_JSON = "application/vnd.git-lfs+json"


class LfsStore:
    """Objects by their hash."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self.downloads: list[str] = []
        """Hashes of what was fetched, in order."""

    def add(self, content: bytes) -> bytes:
        """Keep an object.

        Returns:
            The pointer to commit in its place (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
        """
        name = hashlib.sha256(content).hexdigest()
        self._objects[name] = content
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(content)}\n".encode()

    def clear(self) -> None:
        """Forget all objects."""
        self._objects.clear()
        self.downloads.clear()

    def answer(self, request: GitRequest, body: bytes, url: str) -> tuple[int, bytes, str] | None:
        """Answer a request of the LFS client; `None` if it is not for us.

        Args:
            request: The request.
            body: All of its body.
            url: The address that was asked for.
        """
        if request.path.endswith("/info/lfs/objects/batch"):
            wanted: list[dict[str, Any]] = json.loads(body)["objects"]
            base = url.removesuffix("/batch")
            answer = {"transfer": "basic", "objects": [self._offer(each, base) for each in wanted]}
            return 200, json.dumps(answer).encode(), _JSON
        head, mark, name = request.path.rpartition("/info/lfs/objects/")
        if not mark or not head:
            return None
        if name not in self._objects:
            return 404, b'{"message": "Object does not exist"}', _JSON
        self.downloads.append(name)
        return 200, self._objects[name], "application/octet-stream"

    def _offer(self, wanted: dict[str, Any], base: str) -> dict[str, Any]:
        name = wanted["oid"]
        if name not in self._objects:
            return {"oid": name, "size": wanted["size"], "error": {"code": 404, "message": "Object does not exist"}}
        return {
            "oid": name,
            "size": len(self._objects[name]),
            "actions": {"download": {"href": f"{base}/{name}"}},
        }
