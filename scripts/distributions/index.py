"""Serves distributions as a package index does, on the loopback address."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from packaging.utils import canonicalize_name


@dataclass
class Index:
    """A simple index, https://packaging.python.org/en/latest/specifications/simple-repository-api/.

    Attributes:
        url: Its address, for `--index-url`.
        files: The distributions, by file name.
        asked: Names of projects that were asked for, in order.
    """

    url: str
    files: dict[str, Path]
    asked: list[str] = field(default_factory=list[str])

    def page(self, project: str) -> str | None:
        """The page of a project, or None if there is nothing of it."""
        links = [
            f'<a href="/files/{escape(name)}#sha256={sha256(path)}" data-requires-python="&gt;=3.10">{escape(name)}</a>'
            for name, path in self.files.items()
            if _project(name) == project
        ]
        return _html(links) if links else None

    def projects(self) -> str:
        """The page that lists all projects."""
        names = sorted({_project(name) for name in self.files})
        return _html([f'<a href="/simple/{name}/">{name}</a>' for name in names])


def sha256(path: Path) -> str:
    """The checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _project(filename: str) -> str:
    return canonicalize_name(filename.partition("-")[0])


def _html(links: Iterable[str]) -> str:
    return f"<!DOCTYPE html><html><body>{'<br>'.join(links)}</body></html>"


@contextmanager
def serving(distributions: Iterable[Path]) -> Generator[Index]:
    """Serve wheels and source distributions; other projects are not found, so that pip asks its next index.

    Args:
        distributions: The files.
    """
    files = {path.name: path for path in distributions}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = self.path.strip("/").split("/")
            if parts == ["simple"]:
                self.answer(index.projects().encode(), "text/html")
            elif len(parts) == 2 and parts[0] == "simple":
                index.asked.append(parts[1])
                page = index.page(canonicalize_name(parts[1]))
                self.answer(page.encode() if page else None, "text/html")
            else:
                path = files.get(parts[-1])
                self.answer(path.read_bytes() if path else None, "application/octet-stream")

        def answer(self, content: bytes | None, kind: str) -> None:
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parameter's own name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        index = Index(f"http://127.0.0.1:{server.server_port}/simple", files)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()
