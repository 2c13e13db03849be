"""AWS calls in threads of their own.

boto3 blocks. Prefect's own work shares one small pool of threads (anyio's default), so a slow or throttled AWS would
starve heartbeats; these calls wait in a pool of their own.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import anyio.lowlevel
import anyio.to_thread

from .._clients import client_for
from .._sdk_logs import silent_sdk

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..credentials import AwsCredentials

P = ParamSpec("P")
R = TypeVar("R")

MAX_THREADS = 16
"""How many AWS calls of a worker are under way at a time; boto3's connection pools are as large."""

RETRIES = {"retries": {"mode": "adaptive", "max_attempts": 8}}
"""botocore's adaptive mode slows this client down when AWS throttles it, and retries with jitter:
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html"""

_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("prefect-aws-calls")


def own_threads() -> anyio.CapacityLimiter:
    """The limiter of AWS calls in this event loop."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(MAX_THREADS)
        _limiter.set(limiter)
        return limiter


async def in_thread(call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking AWS call in a thread that Prefect does not need.

    The SDK's own DEBUG records are dropped meanwhile: requests and answers hold the environment of runs.

    A call that was cancelled goes on to its end in its thread: its answer may name something that must be stopped.
    """

    def silently() -> R:
        with silent_sdk():
            return call(*args, **kwargs)

    return await anyio.to_thread.run_sync(silently, limiter=own_threads())


def open_client(credentials: AwsCredentials, service: str) -> Any:
    """The kept client of a service, with adaptive retries unless the block's own configuration says otherwise."""
    return client_for(credentials, service, max_pool_connections=MAX_THREADS, config=RETRIES)


async def answer_of(call: Callable[..., Any], /, *args: Any) -> Any:
    """Make a call in a thread, and await its answer where an asynchronous client gives one that is to be awaited.

    Args:
        call: Calls a method of a client that somebody handed in, which may be one of aiobotocore.
        args: Its arguments.
    """
    answer = await in_thread(call, *args)
    if not inspect.isawaitable(answer):
        return answer
    with silent_sdk():
        return await answer
