"""The suite of faults over HTTP: a client that minds each of them passes, one that does not fails."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar

import pytest

from prefect_integration_tests.backends._http_server import HttpHandler, HttpServer
from prefect_integration_tests.backends.http_edge import EdgeFault, HttpEdge
from prefect_integration_tests.suites import HttpFaultSuite

SECONDS = 0.3


class ShelfError(Exception):
    """Something could not be put."""


class Shelf:
    """A server that says how often each path was put, under the name that the client gave to the call."""

    def __init__(self) -> None:
        self.puts: list[tuple[str, str | None]] = []
        self.http = HttpServer(self, _Handler).start("shelf")
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def count(self, key: str) -> int:
        names = [name for path, name in self.puts if path == f"/{key}"]
        return len([name for name in names if name is None]) + len({name for name in names if name is not None})


class _Handler(HttpHandler):
    def serve(self) -> None:
        shelf: Shelf = self.server.owner
        self.read_content()
        shelf.puts.append((self.path, self.headers.get("Idempotency-Key")))
        self.send(200, b'{"done": true}' * 20, {})


def put(url: str, *, tries: int = 3, named: bool = True, said: str = "{url} could not be put") -> None:
    headers = {"Idempotency-Key": "1"} if named else {}
    for left in reversed(range(tries)):
        try:
            request = urllib.request.Request(url, b"1", headers, method="PUT")
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                answer.read()
            return
        except (OSError, HTTPException) as exc:
            if not left:
                raise ShelfError(said.format(url=url)) from exc


class TestAClientThatMinds(HttpFaultSuite):
    error = ShelfError
    named = r"/key\w+ could not be put"
    secret = "hidden/value"

    @pytest.fixture
    def shelf(self) -> Iterator[Shelf]:
        shelf = Shelf()
        yield shelf
        shelf.http.end()

    @pytest.fixture
    def edge(self, shelf: Shelf, http_edge: Callable[..., HttpEdge]) -> HttpEdge:
        self._shelf = shelf
        return http_edge(shelf.url)

    def change(self, edge: HttpEdge, key: str) -> None:
        put(f"{edge.url}/{key}")

    def changes(self, edge: HttpEdge, key: str) -> int:
        return self._shelf.count(key)


class TestAClientThatCannotRepeat(TestAClientThatMinds):
    unsure = frozenset[EdgeFault]({"lost", "truncated", "time-out", "reset"})
    reported = frozenset[EdgeFault]({"429", "500", "503"})

    def change(self, edge: HttpEdge, key: str) -> None:
        put(f"{edge.url}/{key}", tries=1, named=False)


class _Double(HttpFaultSuite):
    """A client that is wrong in one way."""

    error: ClassVar[Any] = ShelfError
    named = "could not be put"
    secret = "hidden/value"
    lasting_seconds = 3 * SECONDS + 2

    def __init__(self, shelf: Shelf, **how: Any) -> None:
        self.shelf = shelf
        self.how = how

    @pytest.fixture
    def edge(self) -> Any:
        return None

    def change(self, edge: HttpEdge, key: str) -> None:
        put(f"{edge.url}/{key}", **self.how)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return self.shelf.count(key)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = Shelf()
    yield shelf
    shelf.http.end()


@pytest.mark.parametrize(
    ("how", "test", "fault", "expected"),
    [
        pytest.param({"tries": 1}, "test_a_fault_that_passes", "503", ShelfError, id="it does not try again"),
        pytest.param({"named": False}, "test_a_fault_that_passes", "lost", AssertionError, id="it does things twice"),
        pytest.param(
            {"said": "failed"}, "test_a_fault_that_lasts", "reset", AssertionError, id="it does not name what failed"
        ),
        pytest.param(
            {"said": "hidden/value could not be put"},
            "test_a_fault_that_lasts",
            "503",
            AssertionError,
            id="it says a secret",
        ),
        pytest.param({"tries": 12}, "test_a_fault_that_lasts", "time-out", AssertionError, id="it takes too long"),
    ],
)
async def test_a_client_that_is_wrong_fails(
    shelf: Shelf,
    http_edge: Callable[..., HttpEdge],
    run_suite_test: Callable[..., Any],
    how: dict[str, Any],
    test: str,
    fault: str,
    expected: type[BaseException],
) -> None:
    with pytest.raises((expected, pytest.fail.Exception)):
        await run_suite_test(_Double(shelf, **how), test, edge=http_edge(shelf.url), fault=fault)


async def test_a_fault_that_strikes_nothing_is_noticed(
    shelf: Shelf, http_edge: Callable[..., HttpEdge], run_suite_test: Callable[..., Any], tmp_path: Path
) -> None:
    suite = _Double(shelf)
    suite.strikes = lambda call: False  # type: ignore[method-assign]

    with pytest.raises(AssertionError, match="did not strike"):
        await run_suite_test(suite, "test_a_fault_that_passes", edge=http_edge(shelf.url), fault="503")
