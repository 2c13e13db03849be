"""Which commands to run again after a run that failed: pure functions over what dbt Cloud says of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ._commands import EXE_COMMANDS
from ._shapes import as_dict, as_list, dicts_in
from ._watching import Status

RETRIED_STATUSES = frozenset({"error", "fail", "skipped", "runtime error", "partial success"})
"""Statuses of nodes that `dbt retry` runs again, https://docs.getdbt.com/reference/commands/retry."""

_IN_BACKTICKS = re.compile(r"`(.*)`", re.DOTALL)
_NODE_OPTIONS = frozenset({"--select", "-s", "--models", "--model", "-m", "--exclude", "--selector", "--resource-type"})
_NODE_OPTIONS_ALSO = frozenset({"--resource-types", "--exclude-resource-type", "--exclude-resource-types"})
_ONE_VALUE = frozenset({"--selector"})
_HASH = re.compile(r"^[0-9a-f]{10}$")


@dataclass(frozen=True)
class Step:
    """A step of a run that calls dbt.

    Attributes:
        index: Its number in the run, which counts the steps that prepare the run, too; 0 for one that never began.
        command: The whole command, such as `dbt run --select tag:nightly`.
        status: Its status code; `None` where it is not known.
    """

    index: int
    command: str
    status: int | None

    @property
    def name(self) -> str:
        """The command of dbt, such as `run`; empty where it is not a command of dbt's."""
        return command_name(self.command)

    @property
    def is_targetable(self) -> bool:
        """Whether the command can be told which nodes to run."""
        return self.name in EXE_COMMANDS


def command_name(command: str) -> str:
    """Find dbt's command behind `dbt` and the options in front of it."""
    words = _split(command)
    if words and words[0] == "dbt":
        words = words[1:]
    # An option of dbt's own in front of the command may have a value, so the first word that is a command counts.
    for word in words:
        if word in EXE_COMMANDS:
            return word
    return next((word for word in words if not word.startswith("-")), "")


def steps_of(run: Mapping[str, Any]) -> list[Step]:
    """Read the dbt steps of a run, in order, those that never began among them.

    Steps that prepare the run (the clone, the profile, a `dbt deps` that the job does not name) are left out.

    Args:
        run: The run with `run_steps`, and `job` and `trigger` if they are to tell what never began.
    """
    begun = _begun(run)
    planned = _planned(run)
    if not planned:
        return [step for step in begun if step.name != "deps"]
    steps: list[Step] = []
    rest = list(begun)
    for command in planned:
        found = next((step for step in rest if _same(step.command, command)), None)
        if found is None:
            steps.append(Step(0, command, None))
        else:
            rest.remove(found)
            steps.append(found)
    return steps


def _begun(run: Mapping[str, Any]) -> list[Step]:
    found: list[Step] = []
    for number, step in enumerate(dicts_in(run.get("run_steps")), 1):
        match = _IN_BACKTICKS.search(str(step.get("name") or ""))
        command = match[1].strip() if match else ""
        if command.startswith("dbt "):
            index, status = step.get("index"), step.get("status")
            found.append(
                Step(index if isinstance(index, int) else number, command, status if isinstance(status, int) else None)
            )
    return found


def _planned(run: Mapping[str, Any]) -> list[str]:
    for owner, name in (("trigger", "steps_override"), ("job", "execute_steps")):
        if steps := as_list(as_dict(run.get(owner)).get(name)):
            return [str(each).strip() for each in steps]
    return []


def _same(one: str, other: str) -> bool:
    return " ".join(one.split()) == " ".join(other.split())


def nodes_to_retry(run_results: Any) -> list[str] | None:
    """List what to select so that the nodes without success run again, in the order of dbt's results.

    Args:
        run_results: Content of the step's `run_results.json`.

    Returns:
        One selector for each node; `None` if there is no such node, so that something else must have failed.
    """
    found: dict[str, None] = {}
    for result in dicts_in(as_dict(run_results).get("results")):
        if str(result.get("status")).lower() in RETRIED_STATUSES and (name := selector_of(result.get("unique_id"))):
            found[name] = None
    return list(found) or None


def selector_of(unique_id: Any) -> str:
    """Give the name by which `--select` finds a node; empty if it cannot be told.

    `model.shop.orders` is `orders`, `model.shop.orders.v2` is `orders.v2`, `test.shop.unique_orders_id.1a2b3c4d5e` is
    `unique_orders_id`, `unit_test.shop.orders.adds_up` is `adds_up`.
    """
    kind, _, rest = str(unique_id or "").partition(".")
    parts = rest.split(".")[1:]
    if not parts:
        return ""
    if kind == "test" and len(parts) > 1 and _HASH.match(parts[-1]):
        parts = parts[:-1]
    if kind == "unit_test":
        # A unit test of a versioned model ends in the version.
        parts = parts[1:2] if len(parts) > 1 else parts
    name = ".".join(parts)
    # What has a meaning in selectors is matched by a wildcard.
    return re.sub(r"[\s,+@*?\[\]]", "?", name)


def retry_command(command: str, nodes: Iterable[str]) -> str:
    """Rewrite a command so that it runs only some nodes.

    Args:
        command: The command, with any selection of its own.
        nodes: Selectors of the nodes.
    """
    return shlex.join([*_without_selection(_split(command)), "--select", *nodes])


def _without_selection(words: list[str]) -> list[str]:
    kept: list[str] = []
    drops = 0  # values that may still be dropped; the options take several
    for word in words:
        if word.startswith("-"):
            name, equals, _ = word.partition("=")
            is_ours = name in _NODE_OPTIONS or name in _NODE_OPTIONS_ALSO
            drops = 0 if not is_ours or equals else (1 if name in _ONE_VALUE else 1_000_000)
            if is_ours:
                continue
        elif drops:
            drops -= 1
            continue
        kept.append(word)
    return kept


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quotation without an end: dbt Cloud will say so, too
        return command.split()


def is_unsuccessful(step: Step) -> bool:
    """Say whether a step must run again."""
    return step.status != Status.SUCCESS
