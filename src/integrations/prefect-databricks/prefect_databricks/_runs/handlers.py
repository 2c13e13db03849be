"""Call what a user gives to be told of a run that was just started."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .links import url_of

if TYPE_CHECKING:
    from ..credentials import DatabricksCredentials

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


async def tell(handler: Callable[..., Any], run: dict[str, Any], credentials: DatabricksCredentials) -> None:
    """Call a handler with what it asks for by the names of its parameters, and await what it returns if need be.

    Args:
        handler: A function or coroutine function. `databricks_credentials`, `run_id`, `job_id` and `run_page_url` are
            given by name; the first other parameter gets the run, the second one the credentials.
        run: The run as the API gives it.
        credentials: Who started it.
    """
    positional, named = arguments_for(handler, run, credentials)
    answer = handler(*positional, **named)
    if inspect.isawaitable(answer):
        await answer


def arguments_for(
    handler: Callable[..., Any], run: dict[str, Any], credentials: DatabricksCredentials
) -> tuple[list[Any], dict[str, Any]]:
    """Say what a handler is called with; see `tell`."""
    try:
        parameters = list(inspect.signature(handler).parameters.values())
    except (TypeError, ValueError):  # a builtin
        return [run], {}
    known: dict[str, Any] = {
        "databricks_credentials": credentials,
        "credentials": credentials,
        "run_id": run.get("run_id"),
        "jobs_runs_id": run.get("run_id"),
        "multi_task_jobs_runs_id": run.get("run_id"),
        "job_id": run.get("job_id"),
        "run_page_url": url_of(run),
    }
    others: list[Any] = [run, credentials]
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += [run] if not positional else []
        elif parameter.kind in _POSITIONAL and not named:
            if parameter.name in known:
                positional.append(known[parameter.name])
            elif others and (parameter.default is parameter.empty or others[0] is run):
                positional.append(others.pop(0))
            elif parameter.default is not parameter.empty:
                break
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.name in known:
            named[parameter.name] = known[parameter.name]
    return positional, named
