"""Run again what failed in a run, and say what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._artifacts import read_artifact_if_any
from ._failed_steps import is_unsuccessful, nodes_to_retry, retry_command, steps_of
from ._http import read_object
from ._shapes import as_dict, dicts_in
from .models import TriggerJobRunOptions

if TYPE_CHECKING:
    from .clients import DbtCloudAdministrativeClient, RunRelation

RELATED: list[RunRelation] = ["trigger", "job", "run_steps"]

_NAMED_FAILURES = 5
_MESSAGE_CHARACTERS = 300
_FAILED = frozenset({"error", "fail", "runtime error", "partial success"})


async def read_run(client: DbtCloudAdministrativeClient, run_id: int) -> dict[str, Any]:
    """Get a run with all that is needed to run a part of it again.

    Raises:
        httpx.HTTPError: If it cannot be had.
    """
    return await read_object(await client.get_run(run_id, RELATED), run_id)


async def commands_to_retry(client: DbtCloudAdministrativeClient, run: dict[str, Any]) -> list[str] | None:
    """List the commands that run what did not succeed.

    Commands that execute nodes are narrowed to the nodes without success, by the step's `run_results.json`; a step
    without results, or whose nodes all succeeded, is run as it was. So is one that never began.

    Args:
        client: Makes the requests; it is open.
        run: The run, with its steps, job and trigger.

    Returns:
        The commands; `None` if all of the job must run.

    Raises:
        httpx.HTTPError: If results cannot be had.
    """
    steps = steps_of(run)
    if not any(step.index for step in steps) and not _overrides(run):
        return None
    commands: list[str] = []
    for step in filter(is_unsuccessful, steps):
        nodes: list[str] | None = None
        if step.index and step.is_targetable:
            nodes = nodes_to_retry(await read_artifact_if_any(client, run["id"], "run_results.json", step.index))
        commands.append(retry_command(step.command, nodes) if nodes else step.command)
    return commands or None


def _overrides(run: dict[str, Any]) -> bool:
    return bool(as_dict(run.get("trigger")).get("steps_override"))


def retry_options(options: TriggerJobRunOptions | None, commands: list[str] | None) -> TriggerJobRunOptions:
    """Make the options of a run that does only a part.

    Args:
        options: The options of the whole.
        commands: What to run; all of the job if there are none.
    """
    return (options or TriggerJobRunOptions()).model_copy(update={"steps_override": commands})


def is_plain(options: TriggerJobRunOptions | None) -> bool:
    """Say whether a run does nothing differently from its job, so that dbt Cloud's own retry does the same."""
    if options is None:
        return True
    return not any(value is not None for name, value in options.model_dump().items() if name != "cause")


async def describe_failure(client: DbtCloudAdministrativeClient, run: dict[str, Any]) -> str:
    """Name the steps and nodes that failed, in a sentence; empty where dbt Cloud does not tell."""
    said: list[str] = []
    if message := run.get("status_message"):
        said.append(str(message).strip().rstrip("."))
    for step in steps_of(run):
        if step.index and step.status is not None and is_unsuccessful(step):
            said.append(f"step {step.index} `{step.command}` failed")
            results = await read_artifact_if_any(client, run["id"], "run_results.json", step.index)
            said += _failed_nodes(results)
    return "; ".join(said)


def _failed_nodes(run_results: Any) -> list[str]:
    results = dicts_in(as_dict(run_results).get("results"))
    failed = [result for result in results if result.get("status") in _FAILED]
    named = [f"{each.get('unique_id')}: {_short(each.get('message') or each.get('status'))}" for each in failed]
    more = len(named) - _NAMED_FAILURES
    return [*named[:_NAMED_FAILURES], *([f"and {more} more"] if more > 0 else [])]


def _short(text: Any) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _MESSAGE_CHARACTERS else f"{line[: _MESSAGE_CHARACTERS - 1]}…"
