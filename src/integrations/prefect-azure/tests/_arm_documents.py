"""Resources of many providers, as Azure Resource Manager shows them: documents at their paths, to be read alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]


class Documents:
    """What is there, by resource ID. Paths are told apart without regard to case, as Azure does."""

    def __init__(self) -> None:
        self.at: dict[str, Json] = {}
        self.refused: dict[str, int] = {}
        """HTTP status of paths that are not shown."""

        self.asked: list[str] = []
        self.endpoint = ""

    def put(self, path: str, document: Json) -> None:
        self.at[path.lower()] = document

    def put_list(self, path: str, *items: Json) -> None:
        self.put(path, {"value": list(items)})

    def answer(self, path: str) -> tuple[int, Json]:
        self.asked.append(path)
        wanted = path.lower()
        if status := next((code for part, code in self.refused.items() if part.lower() in wanted), 0):
            return status, {"error": {"code": "AuthorizationFailed" if status == 403 else "Refused", "message": "No."}}
        if wanted in self.at:
            return 200, self.at[wanted]
        return 404, {"error": {"code": "ResourceNotFound", "message": f"The resource '{path}' was not found."}}


@contextmanager
def serving(documents: Documents) -> Iterator[Documents]:
    """Show documents on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            assert "api-version=" in parts.query
            assert self.headers["Authorization"].startswith("Bearer ")
            status, document = documents.answer(parts.path)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        documents.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield documents
        finally:
            server.shutdown()
            thread.join(5)
