"""What the tasks of a run leave behind: outputs of those that succeed, errors of those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.redact import redact, secrets_in

from ..errors import DatabricksError, is_passing
from .errors import DatabricksJobInternalError, DatabricksJobRunError, DatabricksJobSkipped, DatabricksJobTerminated
from .links import url_of
from .requests import get_output
from .states import INTERNAL_ERROR, SKIPPED, State, latest_tasks, state_of

if TYPE_CHECKING:
    from ..credentials import DatabricksCredentials

_AT_ONCE = 8
_TOLD_TASKS = 10
"""How many failed tasks are asked for their errors; they mostly fail for one reason."""

_TRACE_LINES, _TRACE_CHARACTERS, _ERROR_CHARACTERS = 25, 2500, 1000

_ERRORS: dict[str, type[DatabricksJobRunError]] = {
    SKIPPED: DatabricksJobSkipped,
    INTERNAL_ERROR: DatabricksJobInternalError,
}


async def notebook_outputs(credentials: DatabricksCredentials, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give what the notebooks of a run have returned, by the key of the task.

    Args:
        credentials: Who asks, and where.
        run: The run, after its end.

    Returns:
        `result` and `truncated` for each notebook; an empty dictionary for tasks of other kinds.
    """
    tasks = latest_tasks(run)
    outputs = await _outputs(credentials, tasks)
    found: dict[str, dict[str, Any]] = {}
    for task, output in zip(tasks, outputs, strict=True):
        notebook = output.get("notebook_output")
        found[str(task.get("task_key"))] = notebook if isinstance(notebook, dict) else {}
    return found


async def _outputs(credentials: DatabricksCredentials, tasks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def read(task: dict[str, Any]) -> dict[str, Any]:
        run_id = task.get("run_id")
        if not isinstance(run_id, int) or not run_id:
            return {}
        async with turn:
            try:
                return await get_output(credentials, run_id)
            except DatabricksError as exc:
                if is_passing(exc) is not False:
                    raise
                # Tasks of some kinds have none, and it is kept for 60 days only.
                run_logger(__name__).warning("No output of task %s: %s", task.get("task_key"), exc)
                return {}

    return await asyncio.gather(*(read(task) for task in tasks))


async def check_success(credentials: DatabricksCredentials, run: dict[str, Any]) -> None:
    """Raise what a run has ended with, unless that is success.

    Args:
        credentials: Who asks, and where.
        run: The run, after its end.

    Raises:
        DatabricksJobSkipped: If it was skipped.
        DatabricksJobInternalError: If Databricks reports an internal error.
        DatabricksJobTerminated: If it ended otherwise.
    """
    state = state_of(run)
    if state.is_success:
        return
    failed = [(task, each) for task in latest_tasks(run) if not (each := state_of(task)).is_success]
    told = [(task, each) for task, each in failed if not each.has_not_run]
    tasks = [_failure(task, each) for task, each in failed]
    try:
        asked = [task for task, _ in told[:_TOLD_TASKS]]
        for task, output in zip(asked, await _outputs(credentials, asked), strict=True):
            entry = next(entry for entry in tasks if entry["run_id"] == task.get("run_id"))
            entry |= {name: output[name] for name in ("error", "error_trace") if isinstance(output.get(name), str)}
    except Exception as exc:  # noqa: BLE001 - whatever it is, it must not hide that the run has failed
        run_logger(__name__).warning("The errors of the tasks could not be read: %s", exc)
    secrets = secrets_in(credentials)
    tasks = [{name: _plain(value, secrets) for name, value in task.items()} for task in tasks]
    text = redact(
        failure_text(run, state, tasks, not_run=[str(t.get("task_key")) for t, s in failed if s.has_not_run]), secrets
    )
    error = _ERRORS.get(state.life_cycle, DatabricksJobTerminated)(text, subject=f"Databricks run {run.get('run_id')}")
    error.run_id, error.run_url = run.get("run_id"), url_of(run)
    error.result_state, error.failed_tasks = state.name, tuple(tasks)
    raise error


def _plain(value: Any, secrets: list[Any]) -> Any:
    return redact(value, secrets) if isinstance(value, str) else value


def _failure(task: dict[str, Any], state: State) -> dict[str, Any]:
    return {
        "task_key": task.get("task_key"),
        "run_id": task.get("run_id"),
        "result_state": state.name,
        "message": state.message,
    }


def failure_text(run: dict[str, Any], state: State, tasks: list[dict[str, Any]], not_run: list[str]) -> str:
    """Say how a run failed, and which of its tasks, with their errors.

    Args:
        run: The run.
        state: Its state.
        tasks: Its failed tasks, as `DatabricksJobRunError.failed_tasks` has them.
        not_run: Keys of those that were left out because of others.
    """
    name = f" ({run['run_name']})" if run.get("run_name") else ""
    code = f" [{state.code}]" if state.code and state.code != state.result else ""
    lines = [f"Databricks run {run.get('run_id')}{name} ended with {state.name}{code}{_sentence(state.message)}"]
    if url := url_of(run):
        lines[0] += f" {url}"
    told = [task for task in tasks if task["task_key"] not in not_run]
    for task in told[:_TOLD_TASKS]:
        said = task.get("error") or task["message"]
        lines.append(f"Task {task['task_key']} ended with {task['result_state']}{_sentence(said[:_ERROR_CHARACTERS])}")
        if trace := tail(task.get("error_trace") or ""):
            lines += [f"    {line}" for line in trace.splitlines()]
    if len(told) > _TOLD_TASKS:
        lines.append(f"{len(told) - _TOLD_TASKS} more tasks failed.")
    if not_run:
        shown = ", ".join(not_run[:_TOLD_TASKS]) + (", …" if len(not_run) > _TOLD_TASKS else "")
        lines.append(f"Not run: {shown}.")
    return "\n".join(lines)


def tail(trace: str) -> str:
    """Give the last lines of a trace: what failed stands there."""
    text = "\n".join(trace.rstrip().splitlines()[-_TRACE_LINES:])
    return text if len(text) <= _TRACE_CHARACTERS else f"…{text[-_TRACE_CHARACTERS:]}"


def _sentence(message: str) -> str:
    text = message.strip()
    if not text:
        return "."
    return f": {text}" if text.endswith((".", "!", "?")) else f": {text}."
