"""A registry is asked whether it has an image, signed in to where need be, and nothing is pulled."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from prefect_integration_kit.image_registries import look_up, parse_image

LOGIN = ("robot", "s3cret-of-the-robot")
BASIC = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()


class _Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Give a token to the one who signs in, and to everybody for what is public."""
        is_public = "public" in urlsplit(self.path).query
        if is_public or self.headers.get("Authorization") == BASIC:
            self._answer(200, b'{"token": "good"}')
        else:
            self._answer(401)

    def do_HEAD(self) -> None:
        _, _, group, name, _, tag = self.path.split("/")
        given = self.headers.get("Authorization", "")
        if group == "broken":
            self._answer(500)
        elif group == "basic" and given != BASIC:
            self._answer(401, challenge="Basic realm=here")
        elif group != "basic" and given != "Bearer good":
            realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"
            scope = f"repository:{group}/{name}:pull"
            self._answer(401, challenge=f'Bearer realm="{realm}",service="here",scope="{scope}"')
        else:
            self._answer(200 if tag == "1" else 404)

    def _answer(self, status: int, content: bytes = b"", challenge: str = "") -> None:
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print nothing."""


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Registry) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize(
    ("image", "login", "level", "said"),
    [
        ("public/flows:1", None, "ok", "is in 127.0.0.1"),
        ("public/flows:2", None, "failed", "does not exist in 127.0.0.1"),
        ("private/flows:1", None, "warning", "asks for credentials. Name them."),
        ("private/flows:1", LOGIN, "ok", "is in 127.0.0.1"),
        ("private/flows:1", ("robot", "wrong"), "failed", "does not let 'robot' pull it"),
        ("basic/flows:1", LOGIN, "ok", "is in 127.0.0.1"),
        ("basic/flows:1", ("robot", "wrong"), "failed", "does not let 'robot' pull it"),
        ("broken/flows:1", None, "warning", "answered 500"),
    ],
    ids=["public", "missing", "private", "login", "wrong", "basic", "basic-wrong", "broken"],
)
def test_an_image_is_looked_up(registry: str, image: str, login: tuple[str, str] | None, level: str, said: str) -> None:
    finding = look_up("image", f"{registry}/{image}", if_private="Name them.", login=login)
    assert (finding.check, finding.level.value) == ("image", level)
    assert said in finding.message
    assert LOGIN[1] not in finding.message


def test_a_registry_that_does_not_answer_is_a_warning() -> None:
    finding = look_up("image", "127.0.0.1:9/flows:1", if_private="")
    assert (finding.level.value, "could not be asked" in finding.message) == ("warning", True)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("python", ("registry-1.docker.io", "library/python", "latest")),
        ("prefecthq/prefect:3-latest", ("registry-1.docker.io", "prefecthq/prefect", "3-latest")),
        ("docker.io/a/b:1", ("registry-1.docker.io", "a/b", "1")),
        ("localhost:5000/a/b@sha256:00", ("localhost:5000", "a/b", "sha256:00")),
        ("x.azurecr.io/a:1@sha256:00", ("x.azurecr.io", "a", "sha256:00")),
    ],
    ids=["library", "hub", "docker.io", "port", "digest"],
)
def test_names_are_taken_apart_as_docker_does(name: str, parts: tuple[str, str, str]) -> None:
    assert parse_image(name) == parts
