"""A server in the place of Azure Resource Manager that answers each request with the same error."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prefect_azure import AzureContainerInstanceCredentials
from prefect_azure._clients import forget_clients


class ErrorServer(ThreadingHTTPServer):
    """Answers with what it is told."""

    daemon_threads = True
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    def groups(self) -> Any:
        """The SDK's container groups, as this server has them."""
        forget_clients()
        block = AzureContainerInstanceCredentials(endpoints={"arm": f"http://127.0.0.1:{self.server_address[1]}"})
        return block.with_credential(AnyToken()).get_container_client("s").container_groups


class _Handler(BaseHTTPRequestHandler):
    server: ErrorServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class AnyToken:
    """A credential whose token is never asked for again."""

    def get_token(self, *scopes: str, **_: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken("token", 4_000_000_000)


@contextmanager
def error_server() -> Generator[ErrorServer, None, None]:
    """Start the server, and stop it."""
    server = ErrorServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def arm_error(code: str, message: str, **more: Any) -> bytes:
    """The body of an error of Azure Resource Manager."""
    return json.dumps({"error": {"code": code, "message": message, **more}}).encode()
