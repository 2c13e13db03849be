"""A program: calls every method of a block where no server can be reached, with all loggers at DEBUG.

It reads the block from standard input, as cloudpickle writes it, and says on standard error all that a user could see:
records, errors with their causes, arguments of processes. Nothing but loopback is ever connected to.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import ipaddress
import logging
import os
import socket
import sys
import threading
import time
import traceback
import types
import typing
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

_SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
_VALUES: dict[Any, Any] = {
    str: "acme",
    int: 1,
    float: 0.1,
    bool: False,
    bytes: b"acme",
    dict: {},
    list: ["acme"],
    Path: Path("acme"),
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


def _value_for(parameter: inspect.Parameter, hints: dict[str, Any]) -> Any:
    """Make up a value that a caller could give."""
    hint = hints.get(parameter.name, str)
    choices = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    for choice in choices:
        kind = typing.get_origin(choice) or choice
        if kind is typing.Literal:
            return typing.get_args(choice)[0]
        if kind in _VALUES:
            return _VALUES[kind]
    return None if type(None) in choices else "acme"


def _arguments(method: Callable[..., Any]) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(inspect.unwrap(method))
    except Exception:  # noqa: BLE001 - names that are there for type checkers only
        hints = {}
    wanted = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        parameter.name: _value_for(parameter, hints)
        for parameter in inspect.signature(method).parameters.values()
        if parameter.kind in wanted and parameter.default is inspect.Parameter.empty
    }


async def _awaited(value: Any) -> None:
    if inspect.isasyncgen(value):
        async for _ in value:
            pass
    else:
        await value


def _call(block: Any, name: str) -> None:
    try:
        method = getattr(block, name)
        result = method(**_arguments(method))
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


def main() -> None:
    """Call them all, each in a thread, for some seconds."""
    import cloudpickle

    import_module("prefect.main")  # sets logging up, before our handler
    logging.root.addHandler(_Handler())
    logging.root.setLevel(logging.DEBUG)
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.setLevel(logging.DEBUG)
            logger.propagate = True
    content = sys.stdin.buffer.read()
    block = cloudpickle.loads(content)
    sys.addaudithook(_watch)
    names = _methods(block)
    _say(f"METHODS {' '.join(names)}")
    threads = [
        threading.Thread(target=_call, args=(cloudpickle.loads(content), name), name=name, daemon=True)
        for name in names
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + _SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    _say("END")
    os._exit(0)  # those that still try are not waited for


if __name__ == "__main__":
    main()
