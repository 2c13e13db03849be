"""A program: calls every method of a block, or functions, where no service can be reached, with all loggers at DEBUG.

It reads `Calls` from standard input, as cloudpickle writes them, and says on standard error all that a user could see:
records, errors with their causes, arguments of processes, what is sent to Prefect. Nothing but loopback is ever
connected to.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import ipaddress
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
import traceback
import types
import typing
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect_integration_tests.blocks import SOUNDS_SECRET, plain_values
from prefect_integration_tests.in_vain import Calls

_SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
_VALUES: dict[Any, Any] = {
    str: "acme",
    int: 1,
    float: 0.1,
    bool: False,
    bytes: b"acme",
    dict: {},
    Mapping: {},
    list: ["acme"],
    Sequence: ["acme"],
    Path: Path("acme"),
}
_NAMED = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "dict": dict,
    "Mapping": dict,
    "list": list,
    "Sequence": list,
    "Path": Path,
    "None": type(None),
}
_OTHERS = frozenset({"abc", "builtins", "prefect", "pydantic", "typing"})
_said = threading.Lock()


def _say(text: str) -> None:
    with _said:
        os.write(2, f"{text}\n".encode())


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _say(f"LOG {record.name}: {self.format(record)}")


def _is_near(host: Any) -> bool:
    try:
        return ipaddress.ip_address(str(host).strip("[]")).is_loopback
    except ValueError:
        return str(host) in ("localhost", "")


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = args[1]
        if isinstance(address, tuple) and not _is_near(typing.cast("tuple[Any, ...]", address)[0]):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
    elif event == "socket.getaddrinfo":
        host = args[0].decode() if isinstance(args[0], bytes) else args[0]
        if host is not None and not _is_near(host):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    elif event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"):
        _say(f"PROCESS {' '.join(str(arg) for arg in args[:2])}")  # the environment comes later, and may hold secrets


class _Arguments:
    """Makes up what a caller could give: the blocks that there are, a canary for what is secret, and simple values."""

    def __init__(self, calls: Calls) -> None:
        self._blocks = calls.blocks
        self._canary = calls.canary
        self._not_secret = calls.not_secret

    def of(self, function: Callable[..., Any]) -> dict[str, Any]:
        """Make up the arguments that must be given, and those that hold secrets."""
        written: Callable[..., Any] = inspect.unwrap(getattr(function, "fn", function))
        wanted = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        given: dict[str, Any] = {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind not in wanted:
                continue
            choices = _choices(parameter, written)
            value = self._secret(parameter.name, choices)
            if value is None and parameter.default is inspect.Parameter.empty:
                value = _plain(choices)
            if value is not None or parameter.default is inspect.Parameter.empty:
                given[parameter.name] = value
        return given

    def _secret(self, name: str, choices: Sequence[Any]) -> Any:
        """Make up a value that holds a canary; `None` where none is meant."""
        for block in self._blocks:
            if type(block) in choices or type(block).__name__ in choices:
                return block
        kinds = [typing.get_origin(choice) or choice for choice in choices]
        if name.endswith("credentials") and (dict in kinds or Mapping in kinds):
            login = next((block for block in self._blocks if type(block).__name__.endswith("Credentials")), None)
            return plain_values(login)[1] if login is not None else None
        if self._canary and any("Secret" in getattr(kind, "__name__", "") for kind in kinds):
            from pydantic import SecretStr

            return SecretStr(self._canary)
        if self._canary and SOUNDS_SECRET.search(name) and name not in self._not_secret:
            return self._canary if str in kinds else self._canary.encode() if bytes in kinds else None
        return None


def _choices(parameter: inspect.Parameter, function: Callable[..., Any]) -> list[Any]:
    """List the types that a parameter may have."""
    hint = parameter.annotation
    choices = [hint]
    if isinstance(hint, str):
        choices = [_evaluated(text, function.__globals__) for text in re.split(r"\s\|\s(?![^\[]*\])", hint)]
    found: list[Any] = []
    for choice in choices:
        union = typing.get_origin(choice) in (typing.Union, types.UnionType)
        found.extend(typing.get_args(choice) if union else (choice,))
    return found


def _evaluated(text: str, names: dict[str, Any]) -> Any:
    try:
        return eval(text, names)
    except Exception:  # noqa: BLE001 - a name that is there for type checkers only
        name = text.partition("[")[0].rpartition(".")[2]
        return _NAMED.get(name, name)


def _plain(choices: Sequence[Any]) -> Any:
    for choice in choices:
        kind = typing.get_origin(choice) or choice
        if kind is typing.Literal:
            return typing.get_args(choice)[0]
        if kind in _VALUES:
            return _VALUES[kind]
    return None if type(None) in choices or None in choices else "acme"


async def _awaited(value: Any) -> None:
    if inspect.isasyncgen(value):
        async for _ in value:
            pass
    else:
        await value


def _call(name: str, function: Callable[..., Any], arguments: _Arguments) -> None:
    try:
        result = function(**arguments.of(function))
        if inspect.isawaitable(result) or inspect.isasyncgen(result):
            asyncio.run(_awaited(result))
        elif inspect.isgenerator(result):
            for _ in result:
                pass
    except BaseException as exc:  # noqa: BLE001 - it is what is to be seen
        _say(f"ERROR of {name}: " + "".join(traceback.format_exception(exc)) + f"{exc!r} {exc.args!r}")
    else:
        _say(f"RETURNED {name}")


def _methods(block: Any) -> list[str]:
    """Name the methods that the block's own package gives it."""
    kind = typing.cast("Any", type(block))
    own: list[Any] = [cls for cls in kind.__mro__ if cls.__module__.partition(".")[0] not in _OTHERS]
    defined: list[dict[str, Any]] = [vars(cls) for cls in own]
    names = {name for each in defined for name in each if not name.startswith(("_", "model_"))}
    methods = {name for name in names if callable(inspect.getattr_static(kind, name, None))}
    return sorted(methods.difference(kind.model_fields))


def _function(path: str) -> Callable[..., Any]:
    """Find a function by module and name, such as `prefect_acme.storage:read.aio`."""
    module, _, names = path.partition(":")
    found: Any = import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found


def _threads(content: bytes) -> list[threading.Thread]:
    """Make a thread for each call, all of which have blocks of their own."""
    import cloudpickle

    calls: Calls = cloudpickle.loads(content)
    block = calls.block
    if block is not None:
        wanted = [(name, partial(_method, content, name)) for name in _methods(block)]
    else:
        wanted = [(path, partial(_function, path)) for path in calls.functions]
        for cls, variables, identifier in calls.workers:
            wanted.append((f"{cls.__name__}.run", partial(_run_of, cls, variables)))
            wanted.append((f"{cls.__name__}.kill_infrastructure", partial(_kill_of, cls, variables, identifier)))
    return [
        threading.Thread(target=_find_and_call, args=(name, find, content), name=name, daemon=True)
        for name, find in wanted
    ]


def _method(content: bytes, name: str) -> Callable[..., Any]:
    import cloudpickle

    return getattr(cloudpickle.loads(content).block, name)


class _Told:
    """Says the identifier of a run's infrastructure."""

    def started(self, value: object = None) -> None:
        _say(f"STARTED {value}")


def _run_of(worker: type[Any], variables: Mapping[str, Any]) -> Callable[..., Any]:
    async def run() -> None:
        async with _starting(worker, variables) as (started, of, configuration):
            _say(f"SUBMITTED {configuration.name} {configuration.labels} {configuration.command}")
            result = await started.run(of, configuration, task_status=_Told())
            _say(f"ENDED {result!r}")

    return run


def _kill_of(worker: type[Any], variables: Mapping[str, Any], identifier: str) -> Callable[..., Any]:
    async def kill() -> None:
        async with _starting(worker, variables) as (started, _, configuration):
            _say(f"KILLING {identifier}")
            await started.kill_infrastructure(identifier, configuration, grace_seconds=0)

    return kill


@asynccontextmanager
async def _starting(worker: type[Any], variables: Mapping[str, Any]) -> AsyncGenerator[tuple[Any, Any, Any]]:
    """Start a worker of a pool of its own, and give it with a run and its configuration."""
    from prefect import flow, get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    from prefect_integration_tests.pool_runs import new_run
    from prefect_integration_tests.worker_configurations import configured

    @flow
    def acme() -> None:
        pass

    async with get_client() as client:
        pool = await client.create_work_pool(WorkPoolCreate(name=f"in-vain-{uuid.uuid4().hex}", type=worker.type))
    async with worker(work_pool_name=pool.name) as started:
        of = await new_run(acme, pool.name)
        yield started, of, configured(worker, of, pool, variables)


def _find_and_call(name: str, find: Callable[[], Callable[..., Any]], content: bytes) -> None:
    import cloudpickle

    try:
        function = find()
    except BaseException as exc:  # noqa: BLE001 - properties fail, too
        _say(f"ERROR of {name}: " + "".join(traceback.format_exception(exc)) + f"{exc!r} {exc.args!r}")
    else:
        _call(name, function, _Arguments(cloudpickle.loads(content)))


def _hear_logs() -> None:
    logging.root.addHandler(_Handler())
    logging.root.setLevel(logging.DEBUG)
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.setLevel(logging.DEBUG)
            logger.propagate = True


def _hear_prefect() -> None:
    """Say what is sent to Prefect's API, but for blocks, which are kept there with their secrets."""
    from prefect.client import base
    from prefect.events.clients import EventsClient
    from prefect.events.worker import EventsWorker

    class Events(EventsClient):
        async def _emit(self, event: Any) -> None:
            _say(f"EVENT {event.model_dump_json()}")

    EventsWorker.set_client_override(Events)
    for client in (base.PrefectHttpxSyncClient, base.PrefectHttpxAsyncClient):
        client.send = _telling(client.send)


def _telling(send: Callable[..., Any]) -> Callable[..., Any]:
    def telling(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if "/block_" not in request.url.path:
            _say(f"REQUEST {request.method} {request.url} {request.content.decode('utf-8', 'replace')}")
        return send(self, request, *args, **kwargs)

    return telling


def _drain() -> None:
    from prefect.events.worker import EventsWorker

    async def drained(waiting: Any) -> None:
        await waiting

    waiting = EventsWorker.drain_all(timeout=5)
    if inspect.isawaitable(waiting):
        asyncio.run(drained(waiting))


def main() -> None:
    """Make all calls, each in a thread, for some seconds."""
    import_module("prefect.main")  # sets logging up, before our handler
    content = sys.stdin.buffer.read()
    _hear_logs()
    _hear_prefect()
    threads = _threads(content)
    sys.addaudithook(_watch)
    _say(f"CALLS {' '.join(thread.name for thread in threads)}")
    for thread in threads:
        thread.start()
    end = time.monotonic() + _SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    draining = threading.Thread(target=_drain, daemon=True)
    draining.start()
    draining.join(5)
    _say("END")
    os.killpg(os.getpgrp(), signal.SIGKILL)  # those that still try are not waited for, nor what they have started


if __name__ == "__main__":
    main()
