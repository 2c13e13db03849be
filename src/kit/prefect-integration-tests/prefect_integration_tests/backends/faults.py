"""A TCP proxy with faults: put it between a client and a server, then make the line slow, broken or dead.

The proxy knows no protocol, so it serves HTTP, SMTP, SQL and Redis alike.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast, overload

import pytest

from . import _tcp_proxy
from ._tcp_proxy import Faults, ProxyEngine
from .processes import HOST, ServerError, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["UNRESOLVABLE_HOST", "FaultProxy", "closed_port"]

T = TypeVar("T")

UNRESOLVABLE_HOST = "no-such-host.invalid"
"""A host name that no resolver knows: `.invalid` is reserved for this (RFC 6761, section 6.4)."""


def closed_port() -> int:
    """Choose a loopback port that refuses connections."""
    return free_port()


class _Fault(Generic[T]):
    """An attribute of the proxy that takes effect at once, wherever the engine runs."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, proxy: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, proxy: FaultProxy, owner: type[Any]) -> T: ...
    def __get__(self, proxy: FaultProxy | None, owner: type[Any]) -> Self | T:
        return self if proxy is None else getattr(proxy.faults, self._name)

    def __set__(self, proxy: FaultProxy, value: T) -> None:
        proxy.set(**{self._name: value})


class _Host(Protocol):
    """Where the engine runs."""

    port: int

    def state(self) -> tuple[int, Faults]: ...
    def set(self, faults: Faults) -> None: ...
    def reset_connections(self) -> None: ...
    def close(self) -> None: ...


class _Thread:
    """The engine in a thread of this process."""

    def __init__(self, host: str, port: int) -> None:
        # A port of our own range: `refuse` closes it for a while, and nobody else may take it meanwhile.
        self._engine = ProxyEngine(host, port, free_port())
        self._engine.start()
        self.port = self._engine.port
        self.set = self._engine.set
        self.reset_connections = self._engine.reset_connections
        self.close = self._engine.close

    def state(self) -> tuple[int, Faults]:
        return self._engine.accepted, self._engine.faults


class _Process:
    """The engine in a child process, which ends with this one since its standard input does."""

    def __init__(self, host: str, port: int) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-I", _tcp_proxy.__file__, host, str(port), str(free_port())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # an interrupt from the keyboard is not for it
        )
        self.port = int(self._answer()["port"])

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise ServerError(f"The proxy's process ended with code {self._child.wait(10)}.")
        return cast("dict[str, Any]", json.loads(line))

    def _ask(self, **command: Any) -> dict[str, Any]:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(command) + "\n")
        self._child.stdin.flush()
        return self._answer()

    def state(self) -> tuple[int, Faults]:
        answer = self._ask()
        return answer["accepted"], Faults(**answer["faults"])

    def set(self, faults: Faults) -> None:
        self._ask(faults=asdict(faults))

    def reset_connections(self) -> None:
        self._ask(reset=True)

    def close(self) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait(5)
        self._child.stdout.close()


class FaultProxy:
    """A proxy on a free loopback port that stands before one server.

    Every fault is an attribute, may change at any time and holds from the next statement on, for open connections too:

    ```python
    with FaultProxy("127.0.0.1", server.port) as proxy:
        client = server.client(endpoint_url=proxy.url)
        proxy.latency_seconds = 0.05
        client.list_buckets()  # takes 50 ms longer
        proxy.set(reset_after_bytes=500_000, reset_times=1)
        client.get_object(Bucket=bucket, Key="1 MB")["Body"].read()  # the connection breaks half-way, once
    ```
    """

    latency_seconds = _Fault[float](
        "Seconds that the line adds to a round trip, half in each direction. Throughput stays as it is."
    )
    bytes_per_second = _Fault["float | None"]("Speed of each direction of each connection; `None` for no limit.")
    reset_after_bytes = _Fault["int | None"](
        "Break a connection by RST once it has moved this many bytes from now on, both directions together; 0 breaks "
        "it at its next byte. `None` for never."
    )
    reset_times = _Fault["int | None"]("After how many breaks `reset_after_bytes` ends by itself; `None` for never.")
    blackhole = _Fault[bool]("Let nothing through, and answer nothing. Bytes wait and go on when it ends.")
    refuse = _Fault[bool]("Refuse new connections. Open ones live on.")

    def __init__(self, host: str, port: int, *, own_process: bool = False) -> None:
        """Start the proxy.

        Args:
            host: Host of the server.
            port: Port of the server.
            own_process: Run in a child process, which does not compete with the program under test for the
                interpreter lock: for measurements. A thread by default.
        """
        self._host: _Host = _Process(host, port) if own_process else _Thread(host, port)
        self.host = HOST
        self.port = self._host.port

    @property
    def url(self) -> str:
        """The proxy as an `http` URL without a path."""
        return f"http://{self.host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._host.state()[0]

    @property
    def faults(self) -> Faults:
        """All faults as they are now."""
        return self._host.state()[1]

    def set(self, **faults: Any) -> None:
        """Change several faults at once; the others stay as they are.

        Args:
            faults: Attributes of this class by name.
        """
        self._host.set(replace(self.faults, **faults))

    def heal(self) -> None:
        """End all faults."""
        self._host.set(Faults())

    def reset_connections(self) -> None:
        """Break every open connection by RST, now."""
        self._host.reset_connections()

    def close(self) -> None:
        """Break every connection and stop."""
        self._host.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@pytest.fixture
def fault_proxy() -> Iterator[Callable[..., FaultProxy]]:
    """A maker of proxies, such as `fault_proxy("127.0.0.1", server.port)`; they end with the test."""
    with contextlib.ExitStack() as stack:

        def make(host: str, port: int, **options: Any) -> FaultProxy:
            return stack.enter_context(FaultProxy(host, port, **options))

        yield make
