"""What the Jobs API takes: fields of bodies, their types, and what must agree.

Fields that are not known are let pass, as Databricks does; `unknown_fields` finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from .calls import ApiError, Json, invalid
from .plays import task_kind

_Types = tuple[type, ...]

TEXT: _Types = (str,)
NUMBER: _Types = (int,)
FLAG: _Types = (bool,)
LIST: _Types = (list,)
OBJECT: _Types = (dict,)

_RUN_PARAMETERS: Mapping[str, _Types] = {
    "job_parameters": OBJECT,
    "jar_params": LIST,
    "notebook_params": OBJECT,
    "python_params": LIST,
    "spark_submit_params": LIST,
    "python_named_params": OBJECT,
    "pipeline_params": OBJECT,
    "sql_params": OBJECT,
    "dbt_commands": LIST,
    "performance_target": TEXT,
}

_SETTINGS: Mapping[str, _Types] = {
    "access_control_list": LIST,
    "budget_policy_id": TEXT,
    "continuous": OBJECT,
    "deployment": OBJECT,
    "description": TEXT,
    "edit_mode": TEXT,
    "email_notifications": OBJECT,
    "environments": LIST,
    "format": TEXT,
    "git_source": OBJECT,
    "health": OBJECT,
    "job_clusters": LIST,
    "max_concurrent_runs": NUMBER,
    "name": TEXT,
    "notification_settings": OBJECT,
    "parameters": LIST,
    "performance_target": TEXT,
    "queue": OBJECT,
    "run_as": OBJECT,
    "schedule": OBJECT,
    "tags": OBJECT,
    "tasks": LIST,
    "timeout_seconds": NUMBER,
    "trigger": OBJECT,
    "usage_policy_id": TEXT,
    "webhook_notifications": OBJECT,
}

BODIES: Mapping[str, Mapping[str, _Types]] = {
    "CreateJob": _SETTINGS,
    "UpdateJob": {"job_id": NUMBER, "new_settings": OBJECT, "fields_to_remove": LIST},
    "ResetJob": {"job_id": NUMBER, "new_settings": OBJECT},
    "DeleteJob": {"job_id": NUMBER},
    "RunNow": {"job_id": NUMBER, "idempotency_token": TEXT, "queue": OBJECT, "only": LIST, **_RUN_PARAMETERS},
    "SubmitRun": {
        **{name: _SETTINGS[name] for name in ("access_control_list", "budget_policy_id", "email_notifications")},
        **{name: _SETTINGS[name] for name in ("environments", "git_source", "health", "notification_settings")},
        **{name: _SETTINGS[name] for name in ("queue", "run_as", "tasks", "timeout_seconds", "webhook_notifications")},
        "usage_policy_id": TEXT,
        "idempotency_token": TEXT,
        "run_name": TEXT,
    },
    "CancelRun": {"run_id": NUMBER},
    "CancelAllRuns": {"job_id": NUMBER, "all_queued_runs": FLAG},
    "DeleteRun": {"run_id": NUMBER},
    "RepairRun": {
        "run_id": NUMBER,
        "rerun_tasks": LIST,
        "rerun_all_failed_tasks": FLAG,
        "rerun_dependent_tasks": FLAG,
        "latest_repair_id": NUMBER,
        **_RUN_PARAMETERS,
    },
}
"""https://docs.databricks.com/api/workspace/jobs."""

_WANTED = {
    "UpdateJob": "job_id",
    "ResetJob": "job_id",
    "DeleteJob": "job_id",
    "RunNow": "job_id",
    "CancelRun": "run_id",
    "DeleteRun": "run_id",
    "RepairRun": "run_id",
}
_JSON_TOKENS = {
    str: "VALUE_STRING",
    bool: "VALUE_TRUE",
    int: "VALUE_NUMBER_INT",
    list: "START_ARRAY",
    dict: "START_OBJECT",
}


def unknown_fields(operation: str, body: Json) -> list[str]:
    """List the fields of a body that the API does not know."""
    return [name for name in body if name not in BODIES.get(operation, body)]


def check_body(operation: str, body: Json) -> None:
    """Refuse a body that lacks a field, or has one of the wrong type."""
    wanted = _WANTED.get(operation)
    if wanted is not None and wanted not in body:
        raise invalid(f"{wanted} must be provided.")
    for name, types in BODIES.get(operation, {}).items():
        value = body.get(name)
        if value is not None and not _fits(value, types):
            got = _JSON_TOKENS.get(cast("type[Any]", type(value)), "VALUE_NULL")
            expected = _JSON_TOKENS[types[0]]
            raise ApiError(
                400,
                f"Could not parse request object: Expected '{expected}' not '{got}' for {name}.",
                "MALFORMED_REQUEST",
            )
    if len(body.get("idempotency_token") or "") > 64:
        raise invalid("The idempotency token must have at most 64 characters.")


def _fits(value: Any, types: _Types) -> bool:
    return isinstance(value, types) and not (isinstance(value, bool) and bool not in types)


def check_tasks(tasks: list[Json]) -> None:
    """Refuse tasks that cannot be run."""
    if len(tasks) > 1000:
        raise invalid("The number of tasks exceeds the limit of 1000.")
    keys = [task.get("task_key", "") for task in tasks]
    for task in tasks:
        key = task.get("task_key")
        if not key:
            raise invalid("task_key must be provided for each task.")
        if keys.count(key) > 1:
            raise invalid(f"Task key {key} is not unique.")
        if not task_kind(task):
            raise invalid(f"A task of kind notebook, Spark JAR or another is missing in task {key}.")
        if sum(name.endswith("_task") for name in task) > 1:
            raise invalid(f"Only one type of task may be given in task {key}.")
        for needed in task.get("depends_on", []):
            if needed.get("task_key") not in keys:
                raise invalid(f"Invalid task dependency: {needed.get('task_key')} of task {key} does not exist.")


def check_parameters(settings: Json, body: Json) -> None:
    """Refuse parameters that do not go together."""
    old = [name for name in _RUN_PARAMETERS if name.endswith(("_params", "_commands")) and body.get(name)]
    if old and (settings.get("parameters") or body.get("job_parameters")):
        raise invalid(f"{old[0]} can not be specified when job parameters are defined.")
    if body.get("notebook_params") and body.get("jar_params"):
        raise invalid("notebook_params cannot be specified in conjunction with jar_params.")


def page_limit(given: str | None, usual: int, most: int) -> int:
    """Read how many things a page has."""
    limit = usual if given in (None, "") else int(given)
    if not 0 < limit <= most:
        raise invalid(f"Invalid limit {limit}: it must be between 1 and {most}.")
    return limit
