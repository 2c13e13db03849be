"""A dbt project that is only played: nodes, which of them fail, and artifacts in dbt's own shapes."""

from __future__ import annotations

import re
import shlex
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from typing import Any

from .calls import Json

DBT_VERSION = "1.10.0"

_OF_COMMAND = {
    "run": {"model"},
    "seed": {"seed"},
    "snapshot": {"snapshot"},
    "test": {"test"},
    "build": {"model", "seed", "snapshot", "test"},
}
_OK = {"test": "pass"}


@dataclass
class PlayedNode:
    """One node."""

    unique_id: str
    depends_on: tuple[str, ...] = ()

    @property
    def resource_type(self) -> str:
        """`model`, `seed`, `snapshot`, `test` or `source`."""
        return self.unique_id.partition(".")[0]

    @property
    def parts(self) -> list[str]:
        """What is behind type and package in the id, without the hash of a generic test."""
        parts = self.unique_id.split(".")[2:]
        return parts[:-1] if self.resource_type == "test" and re.fullmatch("[0-9a-f]{10}", parts[-1]) else parts

    @property
    def name(self) -> str:
        """The name by which it is selected."""
        return ".".join(self.parts)


@dataclass
class PlayedProject:
    """The nodes of a project, in the order in which dbt would run them.

    Attributes:
        name: Name of the project.
        nodes: The nodes.
        broken: Nodes that fail, by unique id, and how often they still do; `None` for ever.
        statuses: Statuses with which nodes end other than `success`, `pass`, `error` and `fail`, by unique id.
        executed: The nodes that ran, with the run, in order; those that were skipped are left out.
    """

    name: str = "shop"
    nodes: list[PlayedNode] = field(default_factory=list[PlayedNode])
    broken: dict[str, int | None] = field(default_factory=dict[str, "int | None"])
    statuses: dict[str, str] = field(default_factory=dict[str, str])
    executed: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def add(self, unique_id: str, *depends_on: str) -> PlayedNode:
        """Add a node behind those that it reads."""
        node = PlayedNode(unique_id, depends_on)
        self.nodes.append(node)
        return node

    def break_node(self, unique_id: str, times: int | None = None) -> None:
        """Let a node fail some times, or for ever."""
        self.broken[unique_id] = times

    def execute(self, run_id: int, command: str, only: Collection[str] | None = None) -> Json:
        """Play a command, and give its `run_results.json`.

        Args:
            run_id: The run.
            command: The command, such as `dbt run --select orders`.
            only: Unique ids of the nodes to which a retry narrows it.
        """
        results: list[Json] = []
        unwell: set[str] = set()
        for node in self.selected(command):
            if only is not None and node.unique_id not in only:
                continue
            if unwell.intersection(node.depends_on) and node.resource_type != "source":
                unwell.add(node.unique_id)
                results.append(_result(node, "skipped", None))
                continue
            self.executed.append((run_id, node.unique_id))
            status = self._outcome(node)
            if status in ("error", "fail"):
                unwell.add(node.unique_id)
            results.append(_result(node, status, _MESSAGES.get(status, "OK")))
        return _run_results(results, command)

    def _outcome(self, node: PlayedNode) -> str:
        if node.unique_id in self.broken:
            left = self.broken[node.unique_id]
            if left is None or left > 0:
                if left is not None:
                    self.broken[node.unique_id] = left - 1
                return "fail" if node.resource_type == "test" else "error"
        return self.statuses.get(node.unique_id, _OK.get(node.resource_type, "success"))

    def selected(self, command: str) -> list[PlayedNode]:
        """List the nodes that a command executes."""
        words = shlex.split(command)
        name = next((word for word in words if word in _OF_COMMAND), "")
        nodes = [node for node in self.nodes if node.resource_type in _OF_COMMAND.get(name, ())]
        wanted = _values(words, ("--select", "-s"))
        if wanted is None:
            return nodes
        return [node for node in nodes if any(_matches(node, each, self.name) for each in wanted)]

    def manifest(self) -> Json:
        """Give the project's `manifest.json`, in the shape of schema version 12."""
        nodes = {node.unique_id: self._entry(node) for node in self.nodes if node.resource_type != "source"}
        sources = {node.unique_id: self._entry(node) for node in self.nodes if node.resource_type == "source"}
        about = {"adapter_type": "postgres", "project_name": self.name}
        return {
            "metadata": {**_metadata("manifest/v12"), **about},
            "nodes": nodes,
            "sources": sources,
            "macros": {},
            "docs": {},
            "exposures": {},
            "metrics": {},
            "groups": {},
            "selectors": {},
            "disabled": {},
            "parent_map": {node.unique_id: list(node.depends_on) for node in self.nodes},
            "child_map": {},
            "saved_queries": {},
            "semantic_models": {},
            "unit_tests": {},
        }

    def _entry(self, node: PlayedNode) -> Json:
        has_relation = node.resource_type != "test"
        entry: Json = {
            "unique_id": node.unique_id,
            "name": node.parts[-1] if node.resource_type == "source" else node.name,
            "resource_type": node.resource_type,
            "package_name": self.name,
            "path": f"{node.name}.sql",
            "original_file_path": f"{node.resource_type}s/{node.name}.sql",
            "fqn": [self.name, *node.parts],
            "database": "analytics",
            "schema": "public",
            "alias": node.parts[-1],
            "relation_name": f'"analytics"."public"."{node.parts[-1]}"' if has_relation else None,
            "depends_on": {"nodes": list(node.depends_on), "macros": []},
            "config": {"materialized": {"model": "table"}.get(node.resource_type, node.resource_type), "enabled": True},
            "checksum": {"name": "sha256", "checksum": "0" * 64},
            "description": f"About {node.name}.",
            "tags": [],
            "meta": {},
        }
        return entry


_MESSAGES = {
    "error": "Database Error in model: relation does not exist",
    "fail": "Got 1 result, configured to fail if != 0",
    "warn": "Got 1 result, configured to warn if != 0",
}


def _values(words: Sequence[str], names: Iterable[str]) -> list[str] | None:
    values: list[str] | None = None
    takes = False
    for word in words:
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            takes = name in names and not equals
            if name in names:
                values = [*(values or []), *([value] if equals else [])]
        elif takes and values is not None:
            values.append(word)
    return values


def _matches(node: PlayedNode, selector: str, project: str) -> bool:
    """Match a selector as dbt does: parts separated by a comma must all match."""
    for part in selector.split(","):
        method, colon, value = part.partition(":")
        if not colon:
            if not any(fnmatchcase(name, part) for name in (node.name, f"{project}.{node.name}")):
                return False
        elif method == "fqn":
            if not any(fnmatchcase(name, value) for name in (node.name, f"{project}.{node.name}")):
                return False
        elif method == "resource_type":
            if node.resource_type != value:
                return False
        elif method == "file":
            if not fnmatchcase(f"{node.name}.sql", value):
                return False
        else:
            return False
    return True


def _metadata(schema: str) -> Json:
    return {
        "dbt_schema_version": f"https://schemas.getdbt.com/dbt/{schema}.json",
        "dbt_version": DBT_VERSION,
        "generated_at": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        "invocation_id": str(uuid.uuid4()),
        "env": {},
    }


def _result(node: PlayedNode, status: str, message: str | None) -> Json:
    moment = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
    timing = [{"name": name, "started_at": moment, "completed_at": moment} for name in ("compile", "execute")]
    return {
        "status": status,
        "timing": [] if status == "skipped" else timing,
        "thread_id": "Thread-1",
        "execution_time": 0.0 if status == "skipped" else 0.1,
        "adapter_response": {},
        "message": message,
        "failures": 1 if status in ("fail", "warn") else None,
        "unique_id": node.unique_id,
        "compiled": True,
        "compiled_code": None,
        "relation_name": None,
    }


def _run_results(results: list[Json], command: str) -> Json:
    arguments: dict[str, Any] = {"invocation_command": command}
    return {"metadata": _metadata("run-results/v6"), "results": results, "elapsed_time": 0.5, "args": arguments}
