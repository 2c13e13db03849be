"""The memory of steps: what a step returned, for as long as the process lives and nothing has changed."""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from prefect_docker._build.records import digest_of
from prefect_docker._images import find_local
from prefect_integration_kit.logs import Log
from prefect_docker._references import parse_image
from prefect_docker.errors import DockerError

T = TypeVar("T")
R = TypeVar("R")

_PREPARE = "__prefect_docker_prepare__"

_guard = threading.Lock()
_locks: dict[str, threading.Lock] = {}


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True)
class StepCall(Generic[R]):
    """A call of a step, checked and ready, and what tells it from another."""

    run: Callable[[], R]
    state: Any = None
    """What the step has read beside its inputs; `None` when that does not suffice to know the output."""
    is_valid: Callable[[R], bool] = _always
    """Whether an output of earlier still holds."""
    ignores_memory: bool = False


def prepared_by(prepare: Callable[..., StepCall[R]]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Say which function checks a step's inputs and reads what they name, before it is known whether there is work.

    Args:
        prepare: The function, with the parameters of the step.
    """

    def mark(func: Callable[..., R]) -> Callable[..., R]:
        vars(func)[_PREPARE] = prepare
        return func

    return mark


def remembered(
    func: Callable[..., T], args: tuple[Any, ...], kwargs: Mapping[str, Any], memory: dict[str, Any], logger: Log
) -> T:
    """Call a step, unless it has been called for the same.

    Args:
        func: The step.
        args: Its arguments.
        kwargs: Its arguments by name.
        memory: Outputs by key.
        logger: Is told when an output is used again.
    """
    inputs = _inputs(func, args, kwargs)
    prepare = cast("Callable[..., StepCall[T]] | None", getattr(func, _PREPARE, None))
    if prepare is None:
        ignores = bool(kwargs.get("ignore_cache"))
        call = StepCall[T](lambda: func(*args, **kwargs), state=(), ignores_memory=ignores)
    else:
        call = prepare(*args, **kwargs)
    name = f"{func.__module__}.{func.__qualname__}"
    parts = {"step": name, "inputs": inputs, "folder": str(Path.cwd()), "state": call.state}
    key = None if call.state is None else digest_of(parts)
    if key is None:
        return call.run()
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:  # a second thread waits for the first one's work rather than do it again
        if not call.ignores_memory and key in memory and call.is_valid(memory[key]):
            logger.info("%s has done this already, and its output is used again.", func.__name__)
            return copy.deepcopy(memory[key])
        output = call.run()
        memory[key] = copy.deepcopy(output)
        return output


def _inputs(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs by name, defaults included, so that two ways to write one call are one. Whether to remember is none."""
    try:
        bound = inspect.signature(func).bind(*args, **kwargs)
    except TypeError:
        func(*args, **kwargs)  # says it in Python's own words
        raise
    bound.apply_defaults()
    inputs = dict(bound.arguments)
    inputs.pop("ignore_cache", None)
    return inputs


def local_id(reference: str) -> str | None:
    """The ID of an image on the engine; `None` when there is none, or no engine answers.

    Args:
        reference: Name and tag.
    """
    from prefect_docker._engine import is_played, open_engine

    if is_played():  # there is no engine whose images could have changed
        return None
    try:
        found = find_local(open_engine(), parse_image(reference))
    except DockerError:
        return None
    return None if found is None else str(found.id)


def is_there(reference: str, image_id: str) -> bool:
    """Say whether the engine has an image under a name.

    Args:
        reference: The name.
        image_id: The image.
    """
    from prefect_docker._engine import is_played

    return is_played() or local_id(reference) == image_id
