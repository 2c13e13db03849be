"""What the child tells of nodes and events: plain tuples with names, cheap to make, to send and to keep."""

from __future__ import annotations

from typing import Any, NamedTuple


class Relation(NamedTuple):
    """Where a node's data lie in the database."""

    database: str | None
    schema: str | None
    alias: str | None
    relation_name: str | None


class NodeInfo(NamedTuple):
    """The node that an event is about, as dbt's event says it."""

    unique_id: str
    name: str
    resource_type: str
    status: str
    """dbt's status at the time of the event: `started`, `compiling`, `executing`, then the final one."""

    path: str
    materialized: str
    started_at: str
    """ISO 8601 in UTC without an offset, as dbt writes it; empty before."""

    finished_at: str
    relation: Relation


class NodeDetails(NamedTuple):
    """What the manifest knows of a node or source. Fields that a type of node does not have are `None` or empty."""

    unique_id: str
    name: str
    resource_type: str
    package_name: str
    path: str
    original_file_path: str
    materialized: str
    relation: Relation
    description: str
    depends_on: tuple[str, ...]
    """Unique ids of what it reads; an ephemeral model's place is taken by what that reads."""

    tags: tuple[str, ...]
    meta: dict[str, Any]
    """`config.meta`, or `meta` where there is no config. Values that are no JSON are given as text."""

    owner: Any
    """`meta.owner`, else the owner of its group, by name or email."""

    columns: dict[str, tuple[str, str]]
    """Description and data type by column."""

    prefect: dict[str, Any]
    """The node's own `prefect` config, from `config` or `config.meta`."""

    adapter_type: str
    test_of: tuple[str, ...]
    """For tests: the nodes that they test."""

    column_name: str
    severity: str
    test_name: str
    compiled_path: str
    source_name: str


class NodeResult(NamedTuple):
    """How a node ended."""

    unique_id: str
    name: str
    resource_type: str
    status: str
    """As dbt says it: `success`, `error`, `fail`, `warn`, `skipped`, `pass`, `partial success`, `runtime error`, ..."""

    message: str
    failures: int | None
    execution_time: float
    """Seconds."""

    thread: str
    timing: tuple[tuple[str, str, str], ...]
    """Name (`compile`, `execute`), start and end of each step; ISO 8601 in UTC."""

    adapter_response: dict[str, Any]
    relation_name: str
    path: str
    """The source file, relative to the project."""

    compiled_path: str
    compiled_code: str | None
    """Only when the invocation asks for it."""

    column_name: str


class DbtEvent(NamedTuple):
    """One event of dbt, or of ours.

    Ours are `PrefectGraph` (the run begins: `data` has `project_name`, `adapter_type`, `target_name`, `target_path`,
    `threads`, `node_count`), `PrefectNode` (`details` of a node, before its `NodeStart`, and of what it reads),
    `PrefectResult` (`result` of a node, after its `NodeFinished`) and `PrefectOutput` (a line that something other
    than dbt's logger wrote to the child's standard output or error).
    """

    name: str
    """dbt's name of it, such as `NodeStart`."""

    code: str
    level: str
    """`debug`, `info`, `warn` or `error`."""

    message: str
    """Without colours, and with the values of `DBT_ENV_SECRET_*` masked."""

    timestamp: float
    """Seconds since the epoch."""

    thread: str
    node: NodeInfo | None
    data: dict[str, Any]
    """The event's own plain fields that are set."""

    shown: bool
    """Whether dbt's console would show it: by `--log-level`, `--quiet`, `--debug`, their variables and its flags."""

    details: NodeDetails | None = None
    result: NodeResult | None = None
